"""What a reader meets at the operating threshold: counts and shares, by finding, scan and patient."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.nodules.evaluation.froc import drawn_patients, drawn_scans
from medpipe.nodules.evaluation.intervals import auc_of_draws, with_interval
from medpipe.nodules.evaluation.matching import Matching, diameters_mm
from medpipe.nodules.evaluation.params import EvaluateParams

SIZE_CLASSES_MM = {"under_6mm": (0.0, 6.0), "6_to_10mm": (6.0, 10.0), "over_10mm": (10.0, np.inf)}
"""Diameters from the first value up to, and without, the second."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.]+")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def metric_part(name: str) -> str:
    """A texture or source as a part of a metric's name."""
    return _NOT_IN_NAMES.sub("_", name)


def operating_metrics(
    matching: Matching,
    thresholds: "pd.Series[float]",
    params: EvaluateParams,
    sources: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
) -> dict[str, float]:
    """Counts and shares with their intervals; `medpipe.nodules.evaluation.evaluate.evaluate` says which.

    Args:
        matching: Candidates and findings.
        thresholds: Operating threshold by series uid.
        params: Of the evaluation.
        sources: Where each scan comes from, in the order of the scans.
        patients: Whose each scan is, in the order of the scans.
    """
    counts = _counts_per_scan(matching, thresholds, sources)
    totals = counts.sum()
    tp, fp, fn = (float(totals[name]) for name in ("tp", "fp", "fn"))
    metrics = {"n_scans_without_nodule": float(totals["healthy"]), "tp": tp, "fp": fp, "fn": fn}
    draws = _draws(len(counts), params, patients)
    samples = pd.DataFrame(draws @ counts.to_numpy(), columns=counts.columns)
    for name, (above, below) in _shares(counts).items():
        if totals[below] > 0:
            drawn = samples[above] / samples[below]
            metrics |= with_interval(name, totals[above] / totals[below], drawn, params.confidence)
    if tp + fp + fn > 0:
        drawn = 2 * samples["tp"] / (2 * samples["tp"] + samples["fp"] + samples["fn"])
        metrics |= with_interval("f1", 2 * tp / (2 * tp + fp + fn), drawn, params.confidence)
    metrics |= {f"n_nodules_{group}": float(totals[f"all_{group}"]) for group in _group_names(counts)}
    scores, ill = _best_probability(matching), counts["nodules"].to_numpy() > 0
    metrics |= _auc("scan_auc", scores, ill, draws, params)
    return metrics | (_patient_metrics(counts, scores, patients, params) if patients is not None else {})


def reaches(rows: pd.DataFrame, thresholds: "pd.Series[float]") -> "pd.Series[bool]":
    """Whether each row's probability is at least its scan's threshold."""
    return rows["probability"] >= thresholds.reindex(rows["series_uid"]).to_numpy()


def _draws(n_scans: int, params: EvaluateParams, patients: Sequence[str] | None) -> IntArray:
    if n_scans == 0:
        return np.zeros((1, 0), dtype=np.int64)
    if patients is None:
        return drawn_scans(n_scans, params.n_bootstraps, params.seed)
    return drawn_patients(patients, params.n_bootstraps, params.seed)


def _group_names(counts: pd.DataFrame) -> list[str]:
    return [name.removeprefix("all_") for name in counts.columns.astype(str) if name.startswith("all_")]


def _shares(counts: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Metric to the columns of ``counts`` whose totals are divided."""
    shares = {
        "sensitivity": ("tp", "nodules"),
        "precision": ("tp", "alarms"),
        "fp_per_scan": ("fp", "scans"),
        "specificity": ("silent_healthy", "healthy"),
        "candidate_specificity": ("rejected", "false_candidates"),
    }
    shares |= {f"sensitivity_{group}": (f"found_{group}", f"all_{group}") for group in _group_names(counts)}
    sources = [name.removeprefix("scans_") for name in counts.columns.astype(str) if name.startswith("scans_")]
    return shares | {f"fp_per_scan_{source}": (f"fp_{source}", f"scans_{source}") for source in sources}


def _counts_per_scan(matching: Matching, thresholds: "pd.Series[float]", sources: Sequence[str] | None) -> pd.DataFrame:
    """Everything that is counted, one row a scan."""
    nodules, false = matching.nodules, matching.false_alarms
    found, alarm = reaches(nodules, thresholds), reaches(false, thresholds)
    scans = list(matching.series_uids)

    def per_scan(rows: pd.DataFrame) -> FloatArray:
        return np.asarray(rows["series_uid"].value_counts().reindex(scans, fill_value=0), dtype=np.float64)

    counts = pd.DataFrame({"scans": np.ones(len(scans)), "nodules": per_scan(nodules), "tp": per_scan(nodules[found])})
    counts["fn"] = counts["nodules"] - counts["tp"]
    counts["fp"] = per_scan(false[alarm])
    counts["alarms"] = counts["tp"] + counts["fp"]
    counts["false_candidates"] = per_scan(false)
    counts["rejected"] = counts["false_candidates"] - counts["fp"]
    counts["healthy"] = (counts["nodules"] == 0).astype(np.float64)
    counts["silent_healthy"] = counts["healthy"] * (counts["fp"] == 0)
    for group, members in _groups(nodules).items():
        counts[f"all_{group}"] = per_scan(nodules[members])
        counts[f"found_{group}"] = per_scan(nodules[members & found])
    names = np.array([metric_part(source) for source in sources or ()])
    for name in np.unique(names):
        here = (names == name).astype(np.float64)
        parts = {"all": "nodules", "found": "tp", "fp": "fp", "scans": "scans"}
        counts = counts.assign(**{f"{part}_source_{name}": here * counts[column] for part, column in parts.items()})
    return counts


def _groups(nodules: pd.DataFrame) -> dict[str, "pd.Series[bool]"]:
    """Name of a size class or texture to the nodules in it."""
    diameter = pd.Series(diameters_mm(nodules), index=nodules.index)
    groups = {name: (diameter >= low) & (diameter < high) for name, (low, high) in SIZE_CLASSES_MM.items()}
    if "texture" in nodules:
        textures = nodules["texture"].dropna().astype(str).map(metric_part).reindex(nodules.index)
        groups |= {name: textures == name for name in sorted(textures.dropna().unique())}
    return groups


def _best_probability(matching: Matching) -> FloatArray:
    """Of each scan's most probable candidate, 0 without any."""
    best = matching.candidates.groupby("series_uid")["probability"].max()
    return np.asarray(best.reindex(list(matching.series_uids), fill_value=0.0), dtype=np.float64)


def _auc(
    name: str, scores: FloatArray, ill: npt.NDArray[np.bool_], draws: IntArray, params: EvaluateParams
) -> dict[str, float]:
    """Absent where all cases are ill or all healthy."""
    if ill.all() or not ill.any():
        return {}
    value = auc_of_draws(scores, ill, np.ones((1, len(scores)), dtype=np.int64))[0]
    return with_interval(name, float(value), auc_of_draws(scores, ill, draws), params.confidence)


def _patient_metrics(
    counts: pd.DataFrame, scores: FloatArray, patients: Sequence[str], params: EvaluateParams
) -> dict[str, float]:
    """A patient is ill if any scan has a nodule, found if an alarm hits one in any scan, silent without false alarm."""
    # In the order of their first scan, as patients are drawn.
    by_patient = counts[["nodules", "tp", "fp"]].assign(score=scores).groupby(np.asarray(patients), sort=False)
    people = by_patient.agg({"nodules": "sum", "tp": "sum", "fp": "sum", "score": "max"})
    ill = people["nodules"].to_numpy() > 0
    draws = drawn_scans(len(people), params.n_bootstraps, params.seed)
    metrics = {"n_patients": float(len(people)), "n_patients_without_nodule": float((~ill).sum())}
    shares = {
        "patient_sensitivity": (ill, people["tp"].to_numpy() > 0),
        "patient_specificity": (~ill, people["fp"].to_numpy() == 0),
    }
    for name, (asked, right) in shares.items():
        if asked.any():
            with np.errstate(invalid="ignore"):
                drawn = draws @ (asked & right) / (draws @ asked)
            metrics |= with_interval(name, (asked & right).sum() / asked.sum(), drawn, params.confidence)
    return metrics | _auc("patient_auc", people["score"].to_numpy(np.float64), ill, draws, params)
