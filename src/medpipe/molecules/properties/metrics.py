"""Measures of predictions, each computed for many sets of drawn molecules at once.

A set is a row of weights: how often each of n molecules was drawn. Results are (sets,), not a number where a set does
not define them.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MEAN = "mean"
"""Where the means over all tasks stand, in place of a task."""


def draw_weights(n: int, n_sets: int, seed: int) -> FloatArray:
    """The molecules as they are, then sets drawn with replacement: (1 + n_sets, n)."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_sets)
    return np.concatenate([np.ones((1, n)), drawn])


def regression_metrics(
    target: FloatArray, value: FloatArray, uncertainty: FloatArray, weights: FloatArray
) -> dict[str, FloatArray]:
    """``rmse``, ``mae``, ``r2``, and ``coverage_95``: how often the error is within 1.96 uncertainties.

    Args:
        target: (n,), all known.
        value: Predictions, (n,).
        uncertainty: Standard deviation of the error to expect, (n,).
        weights: (sets, n).
    """
    error = value - target
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=1)
        mean = weights @ target / total
        variance = weights @ target**2 / total - mean**2
        squared = weights @ error**2 / total
        return {
            "rmse": np.sqrt(squared),
            "mae": weights @ np.abs(error) / total,
            "r2": np.where(variance > 0, 1 - squared / variance, np.nan),
            "coverage_95": weights @ (np.abs(error) <= 1.96 * uncertainty) / total,
        }


def classification_metrics(
    target: FloatArray, probability: FloatArray, weights: FloatArray, n_bins: int
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
