"""The cohort report: the tables and what its page is drawn from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpipe.ct.cohort_report.drift import drift_table
from medpipe.ct.cohort_report.features import Feature, Features, collect
from medpipe.ct.cohort_report.statistics import mean_histogram, statistics_table
from medpipe.ct.splits import SPLIT_NAMES
from medpipe.ct.store import ScanStore


@dataclass(frozen=True)
class CohortReport:
    """What a cohort's scans are like; no table names a patient or a series.

    Attributes:
        statistics: See `medpipe.ct.cohort_report.statistics.statistics_table`.
        drift: See `medpipe.ct.cohort_report.drift.drift_table`.
        numbers: Columns split, feature, value (float): each scan's or nodule's, in no order that tells whose.
        categories: Columns split, feature, category, n: how many scans or nodules.
        histograms: Columns split, hu (middle of the bin), share (mean over patients); empty where no scan has one.
    """

    statistics: pd.DataFrame
    drift: pd.DataFrame
    numbers: pd.DataFrame
    categories: pd.DataFrame
    histograms: pd.DataFrame


def describe(
    scans: pd.DataFrame, nodules: pd.DataFrame, splits: pd.DataFrame, store: ScanStore, seed: int = 0
) -> CohortReport:
    """Describes a cohort and compares val and test with train.

    Args:
        scans: ``ct_scans``.
        nodules: ``ct_nodules``.
        splits: ``ct_splits``.
        store: The prepared scans; their records hold the histograms of Hounsfield units.
        seed: Of the permutation tests.
    """
    prepared = store.series_uids
    records = {uid: store.record(uid) for uid in prepared}
    features = collect(scans, nodules, splits, prepared, records)
    return CohortReport(
        statistics_table(scans, nodules, splits, store.rejections, features),
        drift_table(features, seed),
        _numbers([feature for feature in features.features if feature.kind == "number"]),
        _categories([feature for feature in features.features if feature.kind == "category"]),
        _histograms(features),
    )


def _numbers(features: list[Feature]) -> pd.DataFrame:
    empty = pd.DataFrame({"split": [], "feature": [], "value": []})
    parts = [
        feature.values[["split", "value"]].assign(feature=feature.name).sort_values(["split", "value"])
        for feature in features
    ]
    table = pd.concat(parts, ignore_index=True) if parts else empty
    return table[["split", "feature", "value"]].astype({"split": "str", "feature": "str", "value": "float64"})


def _categories(features: list[Feature]) -> pd.DataFrame:
    parts = [
        feature.values.groupby(["split", "value"], as_index=False).size().assign(feature=feature.name)
        for feature in features
    ]
    empty = pd.DataFrame({"split": [], "feature": [], "value": [], "size": []})
    table = pd.concat(parts, ignore_index=True) if parts else empty
    table = table.rename(columns={"value": "category", "size": "n"})[["split", "feature", "category", "n"]]
    return table.astype({"split": "str", "feature": "str", "category": "str", "n": "int64"})


def _histograms(features: Features) -> pd.DataFrame:
    histograms = features.histograms
    parts = [pd.DataFrame({"split": [], "hu": [], "share": []})]
    if histograms is not None:
        for split in SPLIT_NAMES:
            chosen = np.asarray(histograms.split == split)
            if chosen.any():
                share, _ = mean_histogram(histograms, chosen)
                parts.append(pd.DataFrame({"split": split, "hu": histograms.hu, "share": share}))
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    return table.astype({"split": "str", "hu": "float64", "share": "float64"})
