"""A number and its interval, and the area under the ROC curve in every drawn set at once."""

import numpy as np
import numpy.typing as npt

from medpipe.nodules.evaluation.froc import percentile_interval

FloatArray = npt.NDArray[np.float64]


def with_interval(name: str, value: float, drawn: npt.ArrayLike, confidence: float) -> dict[str, float]:
    """``name`` with ``name_low`` and ``name_high``, the percentiles of its values in the drawn sets.

    Args:
        name: Of the metric.
        value: In the scans as they are.
        drawn: Values in the drawn sets; those that are not defined (not a number) are left out, and without any
            defined one the interval is.
        confidence: Of the interval.
    """
    values = np.asarray(drawn, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return {name: float(value)}
    low, high = percentile_interval(values[:, None], confidence)
    return {name: float(value), f"{name}_low": float(low[0]), f"{name}_high": float(high[0])}


def auc_of_draws(scores: FloatArray, ill: npt.NDArray[np.bool_], draws: npt.NDArray[np.int64]) -> FloatArray:
    """Area under the ROC curve of "ill" by the score, in every drawn set.

    The area is the share of pairs of an ill and a healthy case that the score puts in order, ties counted half: Hanley
    and McNeil, "The meaning and use of the area under a receiver operating characteristic curve" (Radiology, 1982).

    Args:
        scores: One a case.
        ill: One a case.
        draws: How often each set has each case: n_sets x n_cases.

    Returns:
        One value a set; not a number where the set has no ill or no healthy case.
    """
    ordered = np.sign(scores[ill][:, None] - scores[~ill][None, :]) / 2.0 + 0.5
    n_ill, n_healthy = draws[:, ill].sum(axis=1), draws[:, ~ill].sum(axis=1)
    pairs = ((draws[:, ill] @ ordered) * draws[:, ~ill]).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(pairs / (n_ill * n_healthy), dtype=np.float64)
