"""How good the candidates of a set of scans are: one flat dictionary of named metrics, a curve, and who met whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.nodules.evaluation.froc import FROC_RATES, Froc, bootstrap, drawn_scans, froc, percentile_interval
from medpipe.nodules.evaluation.matching import Matching, diameters_mm, match
from medpipe.nodules.evaluation.params import EvaluateParams

SIZE_CLASSES_MM = {"under_6mm": (0.0, 6.0), "6_to_10mm": (6.0, 10.0), "over_10mm": (10.0, np.inf)}
"""Diameters from the first value up to, and without, the second."""

OUTCOMES = ("hit", "miss", "false alarm", "double", "ignored")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`.

    Attributes:
        metrics: Name to number; a quantity that is not defined for these scans is absent.
        curve: FROC curve with columns false_alarms_per_scan, sensitivity, threshold; its seven official points with
            their interval have ``rate`` set (and columns low, high), the others have it missing.
        matches: One row a nodule (hit or miss) and one a candidate that is no nodule's best (false alarm, double,
            ignored): series_uid, x_mm, y_mm, z_mm, diameter_mm, probability (missing for a miss without candidate),
            outcome, finding_id, alarm (whether it reaches the operating threshold).
    """

    metrics: dict[str, float]
    curve: pd.DataFrame
    matches: pd.DataFrame


def evaluate(
    candidates: pd.DataFrame,
    nodules: pd.DataFrame,
    series_uids: Sequence[str],
    params: EvaluateParams,
    threshold: float | None = None,
) -> Evaluation:
    """Scores candidates against findings.

    ``cpm`` and ``sensitivity_at_<rate>_fp`` follow the official LUNA16 evaluation. The rest is told at the operating
    threshold, where a candidate is an alarm if it is at least that probable:

    - ``tp``, ``fn``: nodules with and without an alarm within their radius; ``fp``: alarms that hit no finding at all
      (alarms on irrelevant findings, and second alarms on a nodule, count nowhere);
    - ``sensitivity`` tp / (tp + fn), ``precision`` tp / (tp + fp), ``f1`` their harmonic mean, ``fp_per_scan``;
    - ``specificity``: share of the scans without a nodule that have no false alarm;
    - ``candidate_specificity``: share of the candidates that hit no finding that stay below the threshold;
    - ``sensitivity_<size>`` by diameter and ``sensitivity_<texture>``, where nodules have a texture;
    - ``scan_auc``: area under the ROC curve of "this scan has a nodule" by the scan's most probable candidate.

    Every share has an interval ``_low``, ``_high`` from the same sets of scans, drawn with replacement.

    Args:
        candidates: As `medpipe.nodules.detection.inference.detect` returns.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind, and texture if known.
        series_uids: The scans that were searched; those without nodules or candidates count too.
        params: Of the evaluation.
        threshold: Operating threshold, usually the checkpoint's; None takes ``params.operating_threshold``.
    """
    threshold = params.operating_threshold if threshold is None else float(threshold)
    matching = match(candidates, nodules, series_uids, params.max_marks)
    curve = froc(matching)
    metrics = {"n_scans": float(len(matching.series_uids)), "n_nodules": float(len(matching.nodules))}
    official = _official(matching, curve, params)
    metrics |= _froc_metrics(official) if official is not None else {}
    metrics |= _operating_metrics(matching, threshold, params)
    return Evaluation(metrics, _curve_table(curve, official), _match_table(matching, threshold))


def _official(matching: Matching, curve: Froc, params: EvaluateParams) -> pd.DataFrame | None:
    """Columns rate, sensitivity, low, high, threshold; the last row, rate 0, is the CPM. None without nodules."""
    if matching.nodules.empty:
        return None
    drawn = bootstrap(matching, FROC_RATES, params.n_bootstraps, params.seed)
    low, high = drawn.interval(params.confidence)
    cpm_low, cpm_high = drawn.cpm_interval(params.confidence)
    return pd.DataFrame(
        {
            "rate": [*FROC_RATES, 0.0],
            "sensitivity": [*curve.sensitivity_at(), curve.cpm],
            "low": [*low, cpm_low],
            "high": [*high, cpm_high],
            "threshold": [*(curve.threshold_at(rate) for rate in FROC_RATES), np.nan],
        }
    )


def _froc_metrics(official: pd.DataFrame) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for rate, value, low, high in official[["rate", "sensitivity", "low", "high"]].itertuples(index=False):
        name = f"sensitivity_at_{rate:g}_fp" if rate else "cpm"
        metrics |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
    return metrics


def _operating_metrics(matching: Matching, threshold: float, params: EvaluateParams) -> dict[str, float]:
    counts = _counts_per_scan(matching, threshold)
    totals = counts.sum()
    tp, fp, fn = (float(totals[name]) for name in ("tp", "fp", "fn"))
    metrics = {"operating_threshold": threshold, "tp": tp, "fp": fp, "fn": fn}
    draws = drawn_scans(len(counts), params.n_bootstraps, params.seed) if len(counts) else np.zeros((1, 0))
    samples = pd.DataFrame(draws @ counts.to_numpy(), columns=counts.columns)
    for name, (above, below) in _shares(counts).items():
        if totals[below] > 0:
            metrics |= _share(name, totals[above] / totals[below], samples[above] / samples[below], params)
    if tp + fp + fn > 0:
        drawn = 2 * samples["tp"] / (2 * samples["tp"] + samples["fp"] + samples["fn"])
        metrics |= _share("f1", 2 * tp / (2 * tp + fp + fn), drawn, params)
    return metrics | _scan_auc(matching)


def _shares(counts: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Metric to the columns of ``counts`` whose totals are divided."""
    shares = {
        "sensitivity": ("tp", "nodules"),
        "precision": ("tp", "alarms"),
        "fp_per_scan": ("fp", "scans"),
        "specificity": ("silent_healthy", "healthy"),
        "candidate_specificity": ("rejected", "false_candidates"),
    }
    groups = [name.removeprefix("all_") for name in counts.columns.astype(str) if name.startswith("all_")]
    return shares | {f"sensitivity_{group}": (f"found_{group}", f"all_{group}") for group in groups}


def _share(name: str, value: float, drawn: "pd.Series[float]", params: EvaluateParams) -> dict[str, float]:
    defined: FloatArray = np.asarray(drawn[np.isfinite(drawn)], dtype=np.float64)
    low, high = percentile_interval(defined[:, None], params.confidence)
    return {name: float(value), f"{name}_low": float(low[0]), f"{name}_high": float(high[0])}


def _counts_per_scan(matching: Matching, threshold: float) -> pd.DataFrame:
    """Everything that is counted, one row a scan."""
    nodules, false = matching.nodules, matching.false_alarms
    found = nodules["probability"] >= threshold
    alarm = false["probability"] >= threshold
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
    return counts


def _groups(nodules: pd.DataFrame) -> dict[str, "pd.Series[bool]"]:
    """Name of a size class or texture to the nodules in it."""
    diameter = pd.Series(diameters_mm(nodules), index=nodules.index)
    groups = {name: (diameter >= low) & (diameter < high) for name, (low, high) in SIZE_CLASSES_MM.items()}
    if "texture" in nodules:
        textures = nodules["texture"].dropna().unique()
        groups |= {str(name).replace("-", "_"): nodules["texture"] == name for name in sorted(textures)}
    return groups


def _scan_auc(matching: Matching) -> dict[str, float]:
    """Area under the scan-level ROC curve, as the share of ordered pairs (Mann-Whitney), ties counted half."""
    scans = list(matching.series_uids)
    best = matching.candidates.groupby("series_uid")["probability"].max().reindex(scans, fill_value=0.0).to_numpy()
    ill = np.isin(scans, matching.nodules["series_uid"].to_numpy())
    if ill.all() or not ill.any():
        return {}
    rank = pd.Series(best).rank().to_numpy()
    n_ill, n_healthy = ill.sum(), (~ill).sum()
    return {"scan_auc": float((rank[ill].sum() - n_ill * (n_ill + 1) / 2) / (n_ill * n_healthy))}


def _curve_table(curve: Froc, official: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["false_alarms_per_scan", "sensitivity", "threshold", "rate", "low", "high"]
    points = curve.corners()
    table = pd.DataFrame(
        {
            "false_alarms_per_scan": points.false_alarms_per_scan,
            "sensitivity": points.sensitivity,
            "threshold": points.threshold,
        }
    )
    # The first point marks nothing: its threshold is infinite, which tables and JSON do not carry well.
    table["threshold"] = table["threshold"].where(np.isfinite(table["threshold"]))
    if official is not None:
        rated = official[official["rate"] > 0].assign(false_alarms_per_scan=lambda rows: rows["rate"])
        rated["threshold"] = rated["threshold"].where(np.isfinite(rated["threshold"]))
        table = pd.concat([table, rated], ignore_index=True)
    return table.reindex(columns=columns).astype(dict.fromkeys(columns, "float64"))


def _match_table(matching: Matching, threshold: float) -> pd.DataFrame:
    nodules = matching.nodules.assign(outcome=np.where(matching.nodules["hit"], "hit", "miss"))
    nodules["probability"] = nodules["probability"].where(nodules["hit"])
    others = matching.candidates[matching.candidates["outcome"] != "hit"]
    columns = ["series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "probability", "outcome", "finding_id"]
    parts = [part.reindex(columns=columns) for part in (nodules, others)]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    texts = ["series_uid", "outcome", "finding_id"]
    table = table.astype({name: "str" if name in texts else "float64" for name in columns})
    return table.assign(alarm=table["probability"] >= threshold)
