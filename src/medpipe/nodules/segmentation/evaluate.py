"""How good masks are: one flat dictionary of named measures with intervals, and one row a finding."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.labels.base import LesionMask
from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.ct.stored_scan import StoredScan
from medpipe.nodules.evaluation.froc import drawn_scans
from medpipe.nodules.evaluation.intervals import with_interval
from medpipe.nodules.evaluation.matching import diameters_mm, hits
from medpipe.nodules.evaluation.operating import SIZE_CLASSES_MM, metric_part
from medpipe.nodules.segmentation.overlap import OVERLAP_MEASURES, overlap
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, MaskTargetParams
from medpipe.nodules.segmentation.sampling import targets

Segmented = tuple[pd.DataFrame, MaskStore]
"""What `medpipe.nodules.segmentation.inference` returns: a table with ``mask_number``, and the masks."""


def evaluate_segmentation(
    store: ScanStore,
    nodules: pd.DataFrame,
    series_uids: Sequence[str],
    params: EvaluateSegmentationParams,
    *,
    at_findings: Segmented | None = None,
    at_candidates: Segmented | None = None,
    whole: Segmented | None = None,
    target: MaskTargetParams | None = None,
    patients: Mapping[str, str] | None = None,
) -> tuple[dict[str, float], pd.DataFrame]:
    """Scores masks against those of the findings, which lie in the store.

    Three questions have names of their own, and their numbers are never mixed:

    - ``roi_*``: the place is given. Each finding's mask against the one that ``segment_at`` found at its centre.
    - ``detected_*``: the place was found too. Each finding that a candidate hits (within its radius; the most probable
      one) against that candidate's mask. ``n_missed`` findings have none: they count as 0 in
      ``found_or_missed_dice``, not in ``detected_dice``.
    - ``scan_*``: no place is given. All findings of a scan together against all masks of the scan; 1 where there are
      none of either.

    Each has ``dice``, ``iou``, ``hausdorff95_mm``, ``volume_error`` and ``absolute_volume_error``
    (`medpipe.nodules.segmentation.overlap`) as means, with an interval ``_low``, ``_high`` from sets of patients drawn
    with replacement; Dice also by size and texture, and ``n_empty``: findings with an empty mask, whose Dice is 0 and
    whose distance is not defined.

    Args:
        store: The scans, with the findings' masks.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind, and texture and label if known.
        series_uids: The scans that are evaluated.
        params: Of the intervals.
        at_findings: Of `segment_at` with rows of ``nodules`` as places (it keeps their ``finding_id``).
        at_candidates: Of `segment_at` with those candidates that are alarms (columns as of ``detect``).
        whole: Of `segment_scans`.
        target: Which findings are meant; None for all nodules.
        patients: Series to patient; None takes each series for a patient of its own.

    Returns:
        The measures, and one row a finding with a mask: finding_id, series_uid, diameter_mm, texture, ``volume_mm3``
        (the true one), and the measures by their names, missing where the finding was not outlined; ``found`` where
        candidates are given.

    Raises:
        InputError: If masks lie in another grid than the store's scans.
    """
    owners = patients or {}
    found = targets(nodules[nodules["series_uid"].isin(series_uids)], target or MaskTargetParams()).reset_index(
        drop=True
    )
    found["roi"] = _numbers_at_findings(found, at_findings)
    found["detected"] = _numbers_of_candidates(found, at_candidates)
    masks = {"roi": at_findings, "detected": at_candidates, "scan": whole}
    stores = {name: given[1] for name, given in masks.items() if given is not None}
    tables, scans = [], []
    for uid in series_uids:
        scan = _Scan(store.open(uid), stores)
        rows = found[found["series_uid"] == uid]
        tables.append(_finding_rows(scan, rows, [name for name in stores if name != "scan"]))
        if "scan" in stores and rows["number"].isin(scan.truth).all():
            scans.append({"series_uid": uid, **_named("scan", scan.compare_all(rows["number"].tolist()))})
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    metrics = {"n_findings": float(len(table)), "n_without_mask": float(len(found) - len(table))}
    for name in stores:
        rows = pd.DataFrame(scans) if name == "scan" else table
        metrics |= _means(name, rows, owners, params)
    if "detected" in stores and len(table):
        metrics |= {"n_detected": float(table["found"].sum()), "n_missed": float((~table["found"]).sum())}
        together = table.assign(found_or_missed_dice=table["detected_dice"].where(table["found"], 0.0))
        metrics |= _mean("found_or_missed_dice", together, owners, params)
    return metrics, table


def _numbers_at_findings(found: pd.DataFrame, at_findings: Segmented | None) -> "pd.Series[float]":
    """The number of the mask that was made at each finding, by the finding's row."""
    if at_findings is None:
        return pd.Series(np.nan, index=found.index)
    by_finding = at_findings[0].set_index("finding_id")["mask_number"]
    return found["finding_id"].map(by_finding).astype("float64")


def _numbers_of_candidates(found: pd.DataFrame, at_candidates: Segmented | None) -> "pd.Series[float]":
    """The number of the mask of the most probable candidate that hits each finding; missing where none does."""
    numbers = pd.Series(np.nan, index=found.index)
    if at_candidates is None:
        return numbers
    candidates = at_candidates[0].sort_values("probability", ascending=False, kind="stable").reset_index(drop=True)
    mark, finding = hits(candidates, found)
    best = pd.Series(mark).groupby(finding).min()
    numbers.loc[best.index] = candidates["mask_number"].to_numpy(dtype=np.float64)[best.to_numpy()]
    return numbers


class _Scan:
    """The masks of one scan: the findings' own, and those that are scored."""

    def __init__(self, scan: StoredScan, stores: Mapping[str, MaskStore]) -> None:
        self.spacing_zyx_mm = scan.geometry.spacing_zyx_mm
        self.voxel_mm3 = scan.geometry.voxel_mm3
        self.truth = _true_masks(scan)
        self.scored: dict[str, dict[int, LesionMask]] = {}
        for name, masks in stores.items():
            read = masks.read(scan.series_uid)
            if read is not None and read[0] != scan.geometry:
                raise InputError(
                    f"{masks.path(scan.series_uid)}: the grid is {read[0]}, expected that of the stored scan, "
                    f"{scan.geometry}; outline the scan again."
                )
            self.scored[name] = {} if read is None else read[1]

    def compare(self, name: str, truth: int, scored: int) -> dict[str, float]:
        """Measures of a finding's mask against a scored one; a number that is not there is an empty mask."""
        return self._overlap([self.truth[truth]], [self.scored[name][scored]] if scored in self.scored[name] else [])

    def compare_all(self, numbers: Sequence[int]) -> dict[str, float]:
        """Measures of the findings together against all masks of the whole scan."""
        return self._overlap([self.truth[number] for number in numbers], list(self.scored["scan"].values()))

    def _overlap(self, truth: Sequence[LesionMask], scored: Sequence[LesionMask]) -> dict[str, float]:
        masks = [*truth, *scored]
        starts = np.array([mask.start_zyx for mask in masks] or [(0, 0, 0)])
        ends = np.array([np.add(mask.start_zyx, mask.voxels.shape) for mask in masks] or [(0, 0, 0)])
        low, shape = starts.min(axis=0), ends.max(axis=0) - starts.min(axis=0)
        return overlap(_united(truth, low, shape), _united(scored, low, shape), self.spacing_zyx_mm)


def _true_masks(scan: StoredScan) -> dict[int, LesionMask]:
    """The findings' masks by their number in the label array."""
    from scipy.ndimage import find_objects

    if scan.labels is None:
        return {}
    labels = np.asarray(scan.labels[:])
    return {
        number: LesionMask(tuple(int(part.start) for part in box), labels[box] == number)  # type: ignore[arg-type]
        for number, box in enumerate(find_objects(labels), start=1)
        if box is not None
    }


def _united(masks: Sequence[LesionMask], low: npt.NDArray[Any], shape: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The union of masks in a box that holds them."""
    united = np.zeros(shape, dtype=bool)
    for mask in masks:
        start = np.subtract(mask.start_zyx, low)
        united[tuple(slice(first, first + size) for first, size in zip(start, mask.voxels.shape, strict=True))] |= (
            mask.voxels
        )
    return united


def _finding_rows(scan: _Scan, rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The table's rows of one scan."""
    made = []
    for row in rows[rows["number"].isin(scan.truth)].to_dict("records"):
        truth = scan.truth[row["number"]]
        entry = {name: row.get(name) for name in ("finding_id", "series_uid", "diameter_mm", "texture")}
        entry["volume_mm3"] = float(truth.voxels.sum()) * scan.voxel_mm3
        for name in names:
            outlined = bool(np.isfinite(row[name]))
            values = scan.compare(name, row["number"], int(row[name])) if outlined else dict.fromkeys(OVERLAP_MEASURES)
            entry |= _named(name, values) | ({"found": outlined} if name == "detected" else {})
        made.append(entry)
    return pd.DataFrame(made)


def _named(prefix: str, values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _means(
    name: str, rows: pd.DataFrame, owners: Mapping[str, str], params: EvaluateSegmentationParams
) -> dict[str, float]:
    """Means of all measures, and of Dice by size and texture."""
    dice = f"{name}_dice"
    if dice not in rows or not rows[dice].notna().any():
        return {}
    scored = rows[rows[dice].notna()]
    metrics = {f"{name}_n": float(len(scored)), f"{name}_n_empty": float(scored[f"{name}_hausdorff95_mm"].isna().sum())}
    for measure in OVERLAP_MEASURES:
        metrics |= _mean(f"{name}_{measure}", scored, owners, params)
    if name == "scan":
        return metrics
    for group, members in _groups(scored).items():
        metrics |= _mean(dice, scored[members], owners, params, suffix=f"_{group}")
    return metrics


def _groups(rows: pd.DataFrame) -> dict[str, "pd.Series[bool]"]:
    diameter = pd.Series(diameters_mm(rows), index=rows.index)
    groups = {name: (diameter >= low) & (diameter < high) for name, (low, high) in SIZE_CLASSES_MM.items()}
    textures = sorted(rows["texture"].dropna().unique())
    return groups | {metric_part(str(name)): rows["texture"] == name for name in textures}


def _mean(
    column: str, rows: pd.DataFrame, owners: Mapping[str, str], params: EvaluateSegmentationParams, suffix: str = ""
) -> dict[str, float]:
    """Mean of a column with its interval: patients are drawn, and all their rows with them."""
    values = rows[column].to_numpy(dtype=np.float64)
    patients = rows["series_uid"].map(lambda uid: owners.get(uid, uid)).to_numpy(dtype=str)
    defined = np.isfinite(values)
    if not defined.any():
        return {}
    names, owner = np.unique(patients[defined], return_inverse=True)
    sums, counts = np.bincount(owner, weights=values[defined]), np.bincount(owner)
    draws = drawn_scans(len(names), params.n_bootstraps, params.seed)
    return with_interval(
        column + suffix, sums.sum() / counts.sum(), (draws @ sums) / (draws @ counts), params.confidence
    )
