"""Measures of predictions, each computed for many sets of drawn molecules at once.

A set is a row of weights: how often each of n molecules was drawn. Results are (sets,), not a number where a set does
not define them.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Weights = npt.NDArray[np.uint16] | FloatArray

MEAN = "mean"
"""Where the means over all tasks stand, in place of a task."""
_BLOCK = 1 << 20
"""Weights that are worked on at a time, 8 MB, of which a measure makes some ten tables of that size."""


def draw_weights(n: int, n_sets: int, seed: int) -> npt.NDArray[np.uint16]:
    """The molecules as they are, then sets drawn with replacement: (1 + n_sets, n)."""
    rng, share = np.random.default_rng(seed), np.full(n, 1 / n)
    weights = np.ones((1 + n_sets, n), np.uint16)
    for row in weights[1:]:
        row[:] = rng.multinomial(n, share)
    return weights


def regression_metrics(
    target: FloatArray, value: FloatArray, uncertainty: FloatArray, weights: Weights
) -> dict[str, FloatArray]:
    """``rmse``, ``mae``, ``r2``, and ``coverage_95``: how often the error is within 1.96 uncertainties.

    Args:
        target: (n,), all known.
        value: Predictions, (n,).
        uncertainty: Standard deviation of the error to expect, (n,).
        weights: (sets, n).
    """
    return _in_blocks(partial(_of_numbers, target, value, uncertainty), weights)


def _of_numbers(
    target: FloatArray, value: FloatArray, uncertainty: FloatArray, weights: FloatArray
) -> dict[str, FloatArray]:
    error = value - target
    around = target - target.mean()  # squares of what is far from 0 would hide its variance
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=1)
        variance = weights @ around**2 / total - (weights @ around / total) ** 2
        squared = weights @ error**2 / total
        return {
            "rmse": np.sqrt(squared),
            "mae": weights @ np.abs(error) / total,
            "r2": np.where(variance > 0, 1 - squared / variance, np.nan),
            "coverage_95": weights @ (np.abs(error) <= 1.96 * uncertainty) / total,
        }


def classification_metrics(
    target: FloatArray, probability: FloatArray, weights: Weights, n_bins: int
) -> dict[str, FloatArray]:
    """``auroc``, ``auprc``, ``brier`` and ``calibration_error``.

    ``auroc`` is the share of pairs in order, ties half (Hanley and McNeil, 1982); ``auprc`` the mean precision at each
    step of the recall; ``calibration_error`` the distance of mean probability and observed share in bins of equal
    width, weighted by their molecules (Guo et al., 2017).

    Args:
        target: 0 or 1, (n,), all known.
        probability: (n,).
        weights: (sets, n).
        n_bins: Bins of the calibration error.
    """
    return _in_blocks(partial(_of_classes, target, probability, n_bins), weights)


def _of_classes(target: FloatArray, probability: FloatArray, n_bins: int, weights: FloatArray) -> dict[str, FloatArray]:
    order = np.argsort(-probability, kind="stable")
    starts = np.flatnonzero(np.diff(probability[order], prepend=np.inf))
    positive = np.add.reduceat(weights[:, order] * target[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - target[order]), starts, axis=1)
    hits, misses = positive.cumsum(axis=1), negative.cumsum(axis=1)
    in_bin = np.minimum((probability * n_bins).astype(int), n_bins - 1)[:, None] == np.arange(n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        total, n_positive, n_negative = weights.sum(axis=1), hits[:, -1], misses[:, -1]
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0.0)
        defined = (n_positive > 0) & (n_negative > 0)
        auroc = (negative * (hits - positive / 2)).sum(axis=1) / (n_positive * n_negative)
        auprc = (positive * precision).sum(axis=1) / n_positive
        return {
            "auroc": np.where(defined, auroc, np.nan),
            "auprc": np.where(defined, auprc, np.nan),
            "brier": weights @ (probability - target) ** 2 / total,
            "calibration_error": np.abs(weights @ (in_bin * (probability - target)[:, None])).sum(axis=1) / total,
        }


def mean_of_tasks(of_tasks: Sequence[FloatArray]) -> FloatArray | None:
    """Mean (sets,) of a measure over tasks; in each set over those that it defines.

    Args:
        of_tasks: Values of each, (sets,), all molecules first.

    Returns:
        None where all molecules together define it for no task; a task for which they do not has no part.
    """
    defined = np.array([values for values in of_tasks if np.isfinite(values[0])])
    if not len(defined):
        return None
    known = np.isfinite(defined)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, defined, 0.0).sum(axis=0) / known.sum(axis=0))


def _in_blocks(measure: Callable[[FloatArray], dict[str, FloatArray]], weights: Weights) -> dict[str, FloatArray]:
    """Measures of all sets, some at a time, so that memory does not grow with their number."""
    n_rows = max(1, _BLOCK // weights.shape[1])
    starts = range(0, len(weights), n_rows)
    parts = [measure(weights[start : start + n_rows].astype(np.float64)) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
