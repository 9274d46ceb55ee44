"""How good class probabilities are: one flat dictionary of named metrics, and the figure's curve."""

import logging
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.nodules.classification.params import EvaluateClassificationParams, TargetParams
from medpipe.nodules.classification.targets import labelled
from medpipe.nodules.evaluation.froc import drawn_scans, percentile_interval
from medpipe.nodules.evaluation.intervals import auc_of_draws, with_interval

N_CURVE_POINTS = 101
"""Points of the ROC curve's interval, evenly spaced over the false positive rate."""

COLUMN_DTYPES = {"target": "int64", "class_probability": "float64", "positive": "bool", "patient": "int64"}

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_logger = logging.getLogger(__name__)


def evaluate_classification(
    classified: pd.DataFrame,
    target: TargetParams,
    params: EvaluateClassificationParams,
    threshold: float = 0.5,
    patients: Mapping[str, str] | None = None,
) -> tuple[dict[str, float], pd.DataFrame]:
    """Scores class probabilities of findings whose class is known.

    A finding is called positive where its probability is at least ``threshold``. These have an interval ``_low``,
    ``_high`` from sets of patients drawn with replacement:

    - ``auc``, ``sensitivity``, ``specificity``, ``ppv``, ``npv``, ``accuracy``;
    - ``brier``: mean squared error of the probability (Brier, "Verification of forecasts expressed in terms of
      probability", 1950);
    - ``calibration_error``: distance of mean probability and observed share in bins of equal width, weighted by their
      findings (Guo et al., "On calibration of modern neural networks", 2017).

    What the findings do not define is absent: the AUC where all are in one class (``n_positive`` and ``n_negative`` say
    so, and the log), a share of none. ``n_between`` and ``n_unknown`` count the findings that are in neither class.

    Args:
        classified: Findings as in ``ct_nodules`` with ``class_probability``, as `classify_at` returns them.
        target: The rule by which the classifier was trained.
        params: Of the evaluation.
        threshold: Operating threshold, usually the checkpoint's.
        patients: Series uid to patient: scans of one patient are drawn together. None takes each scan for a patient.

    Returns:
        Metrics, and one row a finding of a class: finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm (those that
        were given), target (0 or 1), class_probability, positive (whether it was called so), patient (a number).

    Raises:
        InputError: If the target's column is missing.
    """
    divided = labelled(classified, target)
    rows = divided.findings
    uids = rows["series_uid"].astype(str)
    owner = uids if patients is None else uids.map(patients).fillna(uids)
    kept = ["finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "target", "class_probability"]
    table = rows[[name for name in kept if name in rows]].assign(
        positive=rows["class_probability"] >= threshold, patient=pd.factorize(owner)[0]
    )
    table = table.astype(COLUMN_DTYPES).reset_index(drop=True)
    metrics = {name: float(value) for name, value in divided.counts.items()}
    metrics |= {"n_findings": float(len(table)), "operating_threshold": float(threshold)}
    if min(metrics["n_positive"], metrics["n_negative"]) == 0:
        _logger.warning("The %d evaluated findings are not of both classes: the AUC is not defined", len(table))
    if table.empty:
        return metrics, table
    metrics |= {f"n_{name}": float(flags.sum()) for name, flags in _outcomes(table).items()}
    weights = _drawn_weights(table, params)
    values, drawn = (
        _scores(table, np.ones((1, len(table)), dtype=np.int64), params.n_bins),
        _scores(table, weights, params.n_bins),
    )
    for name, value in values.items():
        if np.isfinite(value[0]):
            metrics |= with_interval(name, value[0], drawn[name], params.confidence)
    return metrics, table


def roc_table(table: pd.DataFrame, params: EvaluateClassificationParams) -> pd.DataFrame:
    """The ROC curve with the interval of its sensitivity.

    Args:
        table: As `evaluate_classification` returns it.
        params: Of the evaluation.

    Returns:
        Columns false_positive_rate, sensitivity, threshold (missing where nothing is called positive), low, high (at
        even steps of the rate, missing elsewhere). No row where the findings are not of both classes.
    """
    from sklearn.metrics import roc_curve

    columns = ["false_positive_rate", "sensitivity", "threshold", "low", "high"]
    target, probability = table["target"].to_numpy(), table["class_probability"].to_numpy()
    if len(np.unique(target)) < 2:
        return pd.DataFrame(columns=columns, dtype="float64")
    false, hit, thresholds = roc_curve(target, probability)
    points = pd.DataFrame({"false_positive_rate": false, "sensitivity": hit, "threshold": thresholds})
    points["threshold"] = points["threshold"].where(np.isfinite(points["threshold"]))
    rates = np.linspace(0, 1, N_CURVE_POINTS)
    samples = []
    for weight in _drawn_weights(table, params):
        drawn = weight > 0
        if len(np.unique(target[drawn])) == 2:
            false, hit, _ = roc_curve(target[drawn], probability[drawn], sample_weight=weight[drawn])
            # Of the points at one rate the highest counts: at rate 0 the curve rises before it goes right
            samples.append(np.interp(rates, false + 1e-12 * np.arange(len(false)), hit))
    low, high = percentile_interval(np.stack(samples), params.confidence)
    middle = np.interp(rates, points["false_positive_rate"], points["sensitivity"])
    band = pd.DataFrame({"false_positive_rate": rates, "sensitivity": middle, "low": low, "high": high})
    return pd.concat([points, band], ignore_index=True)[columns].astype("float64")


def _drawn_weights(table: pd.DataFrame, params: EvaluateClassificationParams) -> IntArray:
    """How often each finding is in each set of drawn patients: n_bootstraps x findings."""
    patient = table["patient"].to_numpy()
    draws = drawn_scans(int(patient.max()) + 1, params.n_bootstraps, params.seed)
    return np.asarray(draws[:, patient])


def _outcomes(table: pd.DataFrame) -> dict[str, FloatArray]:
    truth, called = table["target"].to_numpy() == 1, table["positive"].to_numpy()
    flags = {"tp": truth & called, "fp": ~truth & called, "fn": truth & ~called, "tn": ~truth & ~called}
    return {name: flag.astype(np.float64) for name, flag in flags.items()}


def _scores(table: pd.DataFrame, weights: IntArray, n_bins: int) -> dict[str, FloatArray]:
    """Each metric under each row of weights (sets x findings); not a number where it is not defined."""
    target, probability = table["target"].to_numpy(np.float64), table["class_probability"].to_numpy()
    tp, fp, fn, tn = (weights @ flag for flag in _outcomes(table).values())
    total = weights.sum(axis=1)
    bin_of = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    in_bin = bin_of[:, None] == np.arange(n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "auc": auc_of_draws(probability, target == 1, weights),
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "accuracy": (tp + tn) / total,
            "brier": weights @ (probability - target) ** 2 / total,
            "calibration_error": np.abs(weights @ (in_bin * (probability - target)[:, None])).sum(axis=1) / total,
        }
