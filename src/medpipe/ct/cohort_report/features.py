"""What scans are compared by: each feature as values with their patient and split, taken from the cohort's tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.ct.cohort import series_by_split

FloatArray = NDArray[np.float64]

CATEGORIES_OF_SCANS = ("source", "manufacturer", "model", "kernel")
NUMBERS_OF_NODULES = ("diameter_mm", "malignancy")
CATEGORIES_OF_NODULES = ("texture",)

NOT_STATED = "not stated"
"""Category of scans whose files say nothing, where other scans' files do."""

HU = "hu"
"""Name of the feature made of the histograms of Hounsfield units."""


@dataclass(frozen=True)
class Feature:
    """Values of one kind, of scans or of nodules.

    Attributes:
        name: With the unit, such as ``diameter_mm``.
        kind: "number" or "category".
        values: Columns ``split``, ``patient`` (a number that says only which values are of one patient) and ``value``
            (float or str); one row a scan or nodule for which it is known.
    """

    name: str
    kind: Literal["number", "category"]
    values: pd.DataFrame


@dataclass(frozen=True)
class HuHistograms:
    """Hounsfield units of the stored scans.

    Attributes:
        hu: Middle of each bin, k; evenly spaced. The first and the last bin hold all that lies outside as well.
        shares: n x k, each scan's share of voxels in each bin.
        split: Of each scan, n.
        patient: As in `Feature`, n.
    """

    hu: FloatArray
    shares: FloatArray
    split: NDArray[np.object_]
    patient: NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """All features of a cohort's usable scans: accepted at intake and prepared.

    Attributes:
        scans: One row a usable scan: ``series_uid``, ``split``, ``patient`` (see `Feature`).
        features: Those of which at least one value is known.
        histograms: None where no scan has one.
    """

    scans: pd.DataFrame
    features: tuple[Feature, ...]
    histograms: HuHistograms | None


def collect(
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    prepared: Iterable[str],
    records: Mapping[str, Mapping[str, Any]],
) -> Features:
    """Takes the features out of the tables.

    Args:
        scans: ``ct_scans``.
        nodules: ``ct_nodules``; only those of kind "nodule" count.
        splits: ``ct_splits``.
        prepared: Series uids in the scan store.
        records: Of prepared scans: ``histogram`` (counts) and ``hu_window``; scans without them are left out of the
            histograms, as are those with another window than the first.
    """
    by_split = series_by_split(scans, splits, prepared)
    split_of = {uid: split for split, uids in by_split.items() for uid in uids}
    used = scans[scans["series_uid"].isin(list(split_of))].copy()
    used["split"] = used["series_uid"].map(split_of).astype("str")
    used["patient"] = pd.factorize(used["patient_id"])[0]
    found = nodules[(nodules["kind"] == "nodule") & nodules["series_uid"].isin(list(split_of))]
    found = found.merge(used[["series_uid", "split", "patient"]], on="series_uid")
    candidates = [
        *[_number(name, used, values) for name, values in _numbers_of_scans(used, found).items()],
        *[_category(name, used) for name in CATEGORIES_OF_SCANS],
        *[_number(name, found, found[name]) for name in NUMBERS_OF_NODULES],
        *[_category(name, found, missing=None) for name in CATEGORIES_OF_NODULES],
    ]
    features = tuple(feature for feature in candidates if len(feature.values))
    return Features(used[["series_uid", "split", "patient"]], features, _histograms(used, records))


def _numbers_of_scans(used: pd.DataFrame, found: pd.DataFrame) -> dict[str, pd.Series]:
    counts = found["series_uid"].value_counts()
    return {
        "slice_spacing_mm": used["spacing_z_mm"],
        # Pixels are square almost everywhere; where they are not, the square of the same area.
        "pixel_spacing_mm": (used["spacing_y_mm"] * used["spacing_x_mm"]) ** 0.5,
        "scan_length_mm": (used["n_slices"].astype("float64") - 1) * used["spacing_z_mm"],
        "nodules_per_scan": used["series_uid"].map(counts).fillna(0),
    }


def _number(name: str, table: pd.DataFrame, values: pd.Series) -> Feature:
    kept = table[["split", "patient"]].assign(value=values.astype("float64")).dropna().reset_index(drop=True)
    return Feature(name, "number", kept)


def _category(name: str, table: pd.DataFrame, missing: str | None = NOT_STATED) -> Feature:
    kept = table[["split", "patient"]].assign(value=table[name])
    if missing is not None and kept["value"].notna().any():
        kept["value"] = kept["value"].fillna(missing)
    kept = kept.dropna().reset_index(drop=True)
    kept["value"] = kept["value"].astype("str")
    return Feature(name, "category", kept)


def _histograms(used: pd.DataFrame, records: Mapping[str, Mapping[str, Any]]) -> HuHistograms | None:
    window: tuple[float, float] | None = None
    rows: list[int] = []
    counts: list[FloatArray] = []
    for row, uid in enumerate(used["series_uid"]):
        record = records.get(uid, {})
        histogram = np.asarray(record.get("histogram", ()), dtype=np.float64)
        if histogram.sum() <= 0:
            continue
        low, high = record["hu_window"]
        window = window or (low, high)
        if (low, high) == window and (not counts or len(histogram) == len(counts[0])):
            rows.append(row)
            counts.append(histogram)
    if window is None:
        return None
    shares = np.stack(counts)
    shares /= shares.sum(axis=1, keepdims=True)
    of_scan = used.iloc[rows]
    return HuHistograms(
        np.linspace(window[0], window[1], shares.shape[1]),
        shares,
        of_scan["split"].to_numpy(dtype=object),
        of_scan["patient"].to_numpy(dtype=np.int64),
    )


def mean_of_patients(values: FloatArray, patient: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Averages the rows of each patient, so that one with many scans counts no more than the others.

    Args:
        values: n x k.
        patient: Of each row, n.

    Returns:
        m x k, one row a patient; position of each patient's first row, m.
    """
    _, first, number, count = np.unique(patient, return_index=True, return_inverse=True, return_counts=True)
    sums = np.zeros((len(first), values.shape[1]))
    np.add.at(sums, number, values)
    return sums / count[:, None], first
