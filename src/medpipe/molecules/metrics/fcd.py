"""Fréchet ChemNet distance: two sets of molecules compared as normal distributions of ChemNet's activations."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_ROWS = 4096  # molecules whose float64 activations are in memory at a time, 16 MB


class Moments(NamedTuple):
    """Mean (512,) and covariance (512, 512) of activations."""

    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]


def moments(activations: npt.NDArray[np.float32], counts: npt.NDArray[np.int64]) -> Moments:
    """Mean and covariance over all molecules.

    Args:
        activations: Of the distinct molecules, (n, 512).
        counts: How often each occurs, (n,); at least two molecules in all.
    """
    n, total, _ = _sums(activations, counts, np.zeros(activations.shape[1]))
    mean = total / n
    _, _, products = _sums(activations, counts, mean)
    return Moments(mean, products / (n - 1))


def moments_without(activations: npt.NDArray[np.float32], blocks: npt.NDArray[np.int64]) -> Iterator[Moments]:
    """Moments of all molecules but those of one block, for each block; sums are taken once and subtracted.

    Args:
        activations: Of the distinct molecules, (n, 512).
        blocks: How often each occurs in each block, (blocks, n); at least two molecules outside each.
    """
    center = moments(activations, blocks.sum(axis=0)).mean
    parts = [_sums(activations, counts, center) for counts in blocks]
    n, first, second = (sum(part[i] for part in parts) for i in range(3))
    for n_out, first_out, second_out in parts:
        left = n - n_out
        mean = (first - first_out) / left
        covariance = (second - second_out - left * np.outer(mean, mean)) / (left - 1)
        yield Moments(center + mean, covariance)


def _sums(
    activations: npt.NDArray[np.float32], counts: npt.NDArray[np.int64], center: npt.NDArray[np.float64]
) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Number, sum and sum of outer products of the deviations from ``center``, some rows at a time."""
    total, products = np.zeros(len(center)), np.zeros((len(center), len(center)))
    rows = np.flatnonzero(counts)
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        values = activations[some] - center
        weighted = values * counts[some, None]
        total += weighted.sum(axis=0)
        products += weighted.T @ values
    return int(counts.sum()), total, products


def frechet_distance(first: Moments, second: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), by eigenvalues of symmetric matrices."""
    return next(frechet_distances(first, [second]))


def frechet_distances(first: Moments, others: Iterable[Moments]) -> Iterator[float]:
    """Fréchet distance of one set to each of several.

    (C1 C2)^(1/2) has the trace of (A C2 A)^(1/2) with A = C1^(1/2). Both roots are of symmetric matrices without
    negative eigenvalues, so singular covariances (few molecules) need no care and nothing turns complex.
    """
    root = _root(first.covariance)
    for second in others:
        difference = first.mean - second.mean
        between = np.linalg.eigvalsh(root @ second.covariance @ root)
        traces = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(between.clip(min=0)).sum()
        yield float(difference @ difference + traces)


def _root(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T)
