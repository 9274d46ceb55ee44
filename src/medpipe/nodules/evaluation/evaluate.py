"""How good the candidates of a set of scans are: one flat dictionary of named metrics, a curve, and who met whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.nodules.evaluation.froc import FROC_RATES, Froc, bootstrap, froc
from medpipe.nodules.evaluation.matching import Matching, match
from medpipe.nodules.evaluation.operating import metric_part, operating_metrics, reaches
from medpipe.nodules.evaluation.params import EvaluateParams

T = TypeVar("T")

OUTCOMES = ("hit", "miss", "false alarm", "double", "ignored")


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
    threshold: float | Mapping[str, float] | None = None,
    *,
    sources: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
) -> Evaluation:
    """Scores candidates against findings.

    ``cpm`` and ``sensitivity_at_<rate>_fp`` follow the official LUNA16 evaluation. The rest is told at the operating
    threshold, where a candidate is an alarm if it is at least that probable:

    - ``tp``, ``fn``: nodules with and without an alarm within their radius; ``fp``: alarms that hit no finding at all
      (alarms on irrelevant findings, and second alarms on a nodule, count nowhere);
    - ``sensitivity`` tp / (tp + fn), ``precision`` tp / (tp + fp), ``f1`` their harmonic mean, ``fp_per_scan``;
    - ``specificity``: share of the ``n_scans_without_nodule`` that have no false alarm;
    - ``candidate_specificity``: share of the candidates that hit no finding that stay below the threshold;
    - ``sensitivity_<size>`` by diameter and ``sensitivity_<texture>``, where nodules have a texture, each with
      ``n_nodules_<group>``;
    - ``scan_auc``: area under the ROC curve of "this scan has a nodule" by the scan's most probable candidate.

    With ``sources``: ``cpm_source_<name>``, ``sensitivity_source_<name>`` and ``fp_per_scan_source_<name>``. With
    ``patients``: ``n_patients``, ``n_patients_without_nodule``, ``patient_sensitivity`` (share of the patients with a
    nodule of whom an alarm hits one in any scan), ``patient_specificity`` (share of the patients without a nodule who
    have no false alarm in any scan) and ``patient_auc`` (by the most probable candidate of all scans of a patient).

    Every share has an interval ``_low``, ``_high`` from the same sets of scans, drawn with replacement. The official
    numbers are always drawn by scan; the others by patient where ``patients`` is given, and then the CPM has a second
    interval, ``cpm_by_patient_low`` and ``cpm_by_patient_high``, if a patient has several scans.

    Args:
        candidates: As `medpipe.nodules.detection.inference.detect` returns.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind, and texture if known.
        series_uids: The scans that were searched; those without nodules or candidates count too.
        params: Of the evaluation.
        threshold: Operating threshold, usually the checkpoint's, or one for each series (networks of several folds);
            None takes ``params.operating_threshold``.
        sources: Series uid to where the scan comes from (column ``source`` of ``ct_scans``).
        patients: Series uid to patient (column ``patient_id`` of ``ct_scans``); no id enters the result.

    Raises:
        InputError: If a mapping lacks a series.
    """
    threshold = params.operating_threshold if threshold is None else threshold
    matching = match(candidates, nodules, series_uids, params.max_marks)
    scans = matching.series_uids
    source_of = None if sources is None else _of_each("sources", sources, scans)
    patient_of = None if patients is None else _of_each("patients", patients, scans)
    limits = _of_each("threshold", threshold, scans) if isinstance(threshold, Mapping) else [threshold] * len(scans)
    thresholds = pd.Series(limits, index=pd.Index(scans, dtype="str"), dtype="float64")
    curve = froc(matching)
    metrics = {"n_scans": float(len(scans)), "n_nodules": float(len(matching.nodules))}
    official = _official(matching, curve, params)
    metrics |= _froc_metrics(official) if official is not None else {}
    if official is not None and patient_of is not None and len(set(patient_of)) < len(scans):
        drawn = bootstrap(matching, FROC_RATES, params.n_bootstraps, params.seed, patient_of)
        low, high = drawn.cpm_interval(params.confidence)
        metrics |= {"cpm_by_patient_low": low, "cpm_by_patient_high": high}
    for source in sorted(set(source_of or ())):
        part = [uid for uid, name in zip(scans, source_of or (), strict=True) if name == source]
        metrics |= _source_cpm(f"cpm_source_{metric_part(source)}", candidates, nodules, part, params)
    metrics |= {"operating_threshold": float(threshold)} if not isinstance(threshold, Mapping) else {}
    metrics |= operating_metrics(matching, thresholds, params, source_of, patient_of)
    return Evaluation(metrics, _curve_table(curve, official), _match_table(matching, thresholds))


def _of_each(name: str, mapping: Mapping[str, T], series_uids: Sequence[str]) -> list[T]:
    lacking = [uid for uid in series_uids if uid not in mapping]
    if lacking:
        raise InputError(f"{name} has no entry for {len(lacking)} of {len(series_uids)} series, the first {lacking[0]}")
    return [mapping[uid] for uid in series_uids]


def _source_cpm(
    name: str, candidates: pd.DataFrame, nodules: pd.DataFrame, series_uids: Sequence[str], params: EvaluateParams
) -> dict[str, float]:
    """CPM of the scans of one source; absent where they have no nodule."""
    matching = match(candidates, nodules, series_uids, params.max_marks)
    if matching.nodules.empty:
        return {}
    low, high = bootstrap(matching, FROC_RATES, params.n_bootstraps, params.seed).cpm_interval(params.confidence)
    return {name: froc(matching).cpm, f"{name}_low": low, f"{name}_high": high}


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


def _match_table(matching: Matching, thresholds: "pd.Series[float]") -> pd.DataFrame:
    nodules = matching.nodules.assign(outcome=np.where(matching.nodules["hit"], "hit", "miss"))
    nodules["probability"] = nodules["probability"].where(nodules["hit"])
    others = matching.candidates[matching.candidates["outcome"] != "hit"]
    columns = ["series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "probability", "outcome", "finding_id"]
    parts = [part.reindex(columns=columns) for part in (nodules, others)]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    texts = ["series_uid", "outcome", "finding_id"]
    table = table.astype({name: "str" if name in texts else "float64" for name in columns})
    return table.assign(alarm=reaches(table, thresholds))
