"""Which candidate hits which finding, by the rules of the LUNA16 challenge.

A candidate hits a finding when it lies closer to its centre than the finding's radius. Hits on a nodule beyond the best
one are neither true nor false positives; candidates that hit only irrelevant findings (too small, seen by too few
readers, not nodules) are ignored; everything else is a false alarm. Only the most probable marks of a scan count.

Source: Setio et al., "Validation, comparison, and combination of algorithms for automatic detection of pulmonary
nodules in computed tomography images: The LUNA16 challenge", Medical Image Analysis 42 (2017), section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

MAX_MARKS = 100
"""LUNA16: marks a scan that count; see `within_mark_limit` for ties."""

UNKNOWN_DIAMETER_MM = 10.0
"""LUNA16: diameter taken for a finding that was marked without one."""

POSITION = ["x_mm", "y_mm", "z_mm"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Matching:
    """Candidates and findings of a set of scans, and who met whom.

    Attributes:
        series_uids: The scans, each once, with or without nodules and candidates.
        candidates: The candidates that count, with column ``outcome`` (hit, double, ignored, false alarm) and
            ``finding_id`` (what was hit, or missing). A candidate that is the best on one nodule and second on another
            is a hit.
        nodules: The nodules, with ``hit``, ``probability`` (the best candidate's, minus infinity where missed).
        n_doubles: Hits on nodules beyond the best one of each.
        n_ignored: Candidates that hit irrelevant findings only.
    """

    series_uids: tuple[str, ...]
    candidates: pd.DataFrame
    nodules: pd.DataFrame
    n_doubles: int
    n_ignored: int

    @property
    def false_alarms(self) -> pd.DataFrame:
        """The candidates that hit nothing."""
        return self.candidates[self.candidates["outcome"] == "false alarm"]


def match(
    candidates: pd.DataFrame, findings: pd.DataFrame, series_uids: Sequence[str], max_marks: int = MAX_MARKS
) -> Matching:
    """Matches candidates to findings.

    Args:
        candidates: Columns series_uid, x_mm, y_mm, z_mm, probability (others are kept).
        findings: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind (``nodule`` or ``irrelevant``).
        series_uids: The scans that are evaluated; rows of other scans are left out.
        max_marks: Marks a scan that count.

    Raises:
        ValueError: If a scan is named twice.
    """
    scans = tuple(series_uids)
    if len(set(scans)) != len(scans):
        raise ValueError("series_uids names a scan twice: each scan counts once in false positives per scan")
    marks = candidates[candidates["series_uid"].isin(scans)].reset_index(drop=True)
    marks = marks[within_mark_limit(marks, max_marks)].reset_index(drop=True)
    known = findings[findings["series_uid"].isin(scans)]
    nodules = known[known["kind"] == "nodule"].reset_index(drop=True)
    irrelevant = known[known["kind"] == "irrelevant"].reset_index(drop=True)

    probability = marks["probability"].to_numpy(dtype=np.float64)
    mark_of, nodule_of = hits(marks, nodules)
    ignored_of, irrelevant_of = hits(marks, irrelevant)

    # Best mark of each nodule: hits sorted by nodule, then by falling probability; a nodule's first row is its best.
    order = np.lexsort((-probability[mark_of], nodule_of))
    hit_nodules, first = np.unique(nodule_of[order], return_index=True)
    best = mark_of[order][first]

    finding_id = np.full(len(marks), None, dtype=object)
    outcome = np.full(len(marks), "false alarm", dtype=object)
    on_irrelevant = np.setdiff1d(ignored_of, mark_of)
    finding_id[ignored_of] = irrelevant["finding_id"].to_numpy(dtype=object)[irrelevant_of]
    outcome[on_irrelevant] = "ignored"
    finding_id[mark_of] = nodules["finding_id"].to_numpy(dtype=object)[nodule_of]
    outcome[mark_of] = "double"
    finding_id[best] = nodules["finding_id"].to_numpy(dtype=object)[hit_nodules]
    outcome[best] = "hit"

    best_probability = np.full(len(nodules), -np.inf)
    best_probability[hit_nodules] = probability[best]
    return Matching(
        scans,
        marks.assign(outcome=pd.array(outcome, dtype="str"), finding_id=pd.array(finding_id, dtype="str")),
        nodules.assign(hit=np.isfinite(best_probability), probability=best_probability),
        n_doubles=len(mark_of) - len(hit_nodules),
        n_ignored=len(on_irrelevant),
    )


def within_mark_limit(candidates: pd.DataFrame, max_marks: int = MAX_MARKS) -> BoolArray:
    """Which candidates count where a scan may have ``max_marks``.

    As in the official evaluation, a scan with more marks keeps those strictly more probable than the first one over
    the limit: ties with it are all dropped, so fewer than ``max_marks`` may stay.
    """
    by_scan = candidates.groupby("series_uid", sort=False)["probability"]
    crowded = by_scan.transform("size") > max_marks
    if not crowded.any():
        return np.ones(len(candidates), dtype=bool)
    limits = {uid: np.sort(values)[::-1][max_marks] for uid, values in by_scan if len(values) > max_marks}
    limit = candidates["series_uid"].map(limits).fillna(-np.inf)
    return np.asarray(~crowded | (candidates["probability"] > limit), dtype=bool)


def hits(candidates: pd.DataFrame, findings: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """All pairs of a candidate and a finding that it hits: strictly within the radius, in the same scan.

    Returns:
        Row numbers in ``candidates`` and in ``findings``, one entry a pair.
    """
    scans, scan_of = np.unique(
        np.concatenate([candidates["series_uid"].to_numpy(dtype=str), findings["series_uid"].to_numpy(dtype=str)]),
        return_inverse=True,
    )
    mark_scan, finding_scan = scan_of[: len(candidates)], scan_of[len(candidates) :]
    order = np.argsort(mark_scan, kind="stable")
    count = np.bincount(mark_scan, minlength=len(scans))
    start = np.cumsum(count) - count

    # Every finding is paired with the run of its scan's candidates.
    pairs = count[finding_scan]
    finding = np.repeat(np.arange(len(findings)), pairs)
    within = np.arange(len(finding)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    mark = order[start[finding_scan[finding]] + within]

    delta = findings[POSITION].to_numpy(np.float64)[finding] - candidates[POSITION].to_numpy(np.float64)[mark]
    squared_mm2 = delta[:, 0] ** 2 + delta[:, 1] ** 2 + delta[:, 2] ** 2
    close = squared_mm2 < (diameters_mm(findings)[finding] / 2.0) ** 2
    return mark[close], finding[close]


def diameters_mm(findings: pd.DataFrame) -> FloatArray:
    """Diameters with `UNKNOWN_DIAMETER_MM` where none is known (missing, or negative as in LUNA16's files)."""
    diameter = findings["diameter_mm"].to_numpy(dtype=np.float64)
    return np.where(diameter >= 0, diameter, UNKNOWN_DIAMETER_MM)
