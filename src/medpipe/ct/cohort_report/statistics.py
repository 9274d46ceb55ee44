"""A cohort in numbers: one long table, split by split and all together."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medpipe.ct.cohort_report.features import HU, Feature, Features, FloatArray, HuHistograms, mean_of_patients
from medpipe.ct.splits import SPLIT_NAMES

ALL = "all"
"""In place of a split's name: every scan, those of patients without a split (all rejected) too."""

STATISTICS_COLUMNS = {"split": "str", "feature": "str", "statistic": "str", "value": "float64"}
"""Columns of the table of statistics."""

QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}

COHORT, REJECTION = "cohort", "rejection"
"""Names under which numbers of patients and scans, and of rejections by code, stand among the features."""

Row = tuple[str, str, str, float]


def statistics_table(
    scans: pd.DataFrame, nodules: pd.DataFrame, splits: pd.DataFrame, rejections: pd.DataFrame, features: Features
) -> pd.DataFrame:
    """Every number of the report.

    Args:
        scans: ``ct_scans``.
        nodules: ``ct_nodules``.
        splits: ``ct_splits``.
        rejections: Scans that could not be prepared, as ``ScanStore.rejections``.
        features: Of the usable scans.

    Returns:
        Columns as in `STATISTICS_COLUMNS`. Feature "cohort" counts ``patients``, ``scans``, ``accepted`` at intake,
        ``rejected`` at intake or when prepared, ``usable`` (accepted and prepared), and ``nodules`` and
        ``irrelevant`` findings of usable scans; "rejection" counts scans by code. Numbers have the number of
        patients and values, mean, standard deviation and quantiles over scans or nodules; categories the number of
        scans or nodules in each; "hu" the same of voxels, each patient counting once.
    """
    patients = scans.merge(splits, on="patient_id", how="left", validate="many_to_one")
    code = patients["rejection_code"].astype("object")
    late = rejections.set_index("series_uid")["code"]
    patients["code"] = code.where(~patients["accepted"], patients["series_uid"].map(late).astype("object"))
    rows: list[Row] = []
    for name in (ALL, *SPLIT_NAMES):
        rows += _cohort(name, patients if name == ALL else patients[patients["split"] == name], nodules, features)
        for feature in features.features:
            rows += _values(name, feature)
        if features.histograms is not None:
            rows += _hu(name, features.histograms)
    return pd.DataFrame(rows, columns=list(STATISTICS_COLUMNS)).astype(STATISTICS_COLUMNS)


def _cohort(split: str, scans: pd.DataFrame, nodules: pd.DataFrame, features: Features) -> Iterator[Row]:
    usable = features.scans["series_uid"][features.scans["series_uid"].isin(scans["series_uid"])]
    kinds = nodules.loc[nodules["series_uid"].isin(usable), "kind"].value_counts()
    counts = {
        "patients": scans["patient_id"].nunique(),
        "scans": len(scans),
        "accepted": int(scans["accepted"].sum()),
        "rejected": int(scans["code"].notna().sum()),
        "usable": len(usable),
        "nodules": kinds.get("nodule", 0),
        "irrelevant": kinds.get("irrelevant", 0),
    }
    yield from ((split, COHORT, name, count) for name, count in counts.items())
    for code, count in scans["code"].value_counts().sort_index().items():
        yield split, REJECTION, str(code), count


def _values(split: str, feature: Feature) -> Iterator[Row]:
    part = feature.values if split == ALL else feature.values[feature.values["split"] == split]
    if not len(part):
        return
    if feature.kind == "category":
        for name, count in part["value"].value_counts().items():
            yield split, feature.name, str(name), count
        return
    values = part["value"].to_numpy(np.float64)
    yield split, feature.name, "patients", part["patient"].nunique()
    yield split, feature.name, "values", len(values)
    yield split, feature.name, "mean", values.mean()
    yield split, feature.name, "std", values.std()
    yield split, feature.name, "min", values.min()
    for name, quantile in QUANTILES.items():
        yield split, feature.name, name, float(np.quantile(values, quantile))
    yield split, feature.name, "max", values.max()


def _hu(split: str, histograms: HuHistograms) -> Iterator[Row]:
    chosen = np.ones(len(histograms.split), dtype=bool) if split == ALL else histograms.split == split
    if not chosen.any():
        return
    mean, n_patients = mean_histogram(histograms, chosen)
    average = float(mean @ histograms.hu)
    cumulative = np.cumsum(mean)
    yield split, HU, "patients", n_patients
    yield split, HU, "values", int(chosen.sum())
    yield split, HU, "mean", average
    yield split, HU, "std", float(np.sqrt(mean @ (histograms.hu - average) ** 2))
    for name, quantile in QUANTILES.items():
        place = min(int(np.searchsorted(cumulative, quantile)), len(mean) - 1)
        yield split, HU, name, float(histograms.hu[place])
    yield split, HU, "share_at_low_end", float(mean[0])
    yield split, HU, "share_at_high_end", float(mean[-1])


def mean_histogram(histograms: HuHistograms, chosen: np.ndarray) -> tuple[FloatArray, int]:
    """Mean share of voxels in each bin, every patient counting once; and the number of patients.

    Args:
        histograms: Of the scans.
        chosen: bool, which scans.
    """
    rows, _ = mean_of_patients(histograms.shares[chosen], histograms.patient[chosen])
    return np.asarray(rows.mean(axis=0)), len(rows)
