"""Fréchet ChemNet distance: two sets of molecules compared as normal distributions of ChemNet's activations."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


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
    values = activations.astype(np.float64)
    return Moments(np.average(values, axis=0, weights=counts), np.cov(values, rowvar=False, fweights=counts))


def moments_without(activations: npt.NDArray[np.float32], blocks: npt.NDArray[np.int64]) -> Iterator[Moments]:
    """Moments of all molecules but those of one block, for each block; sums are taken once and subtracted.

    Args:
        activations: Of the distinct molecules, (n, 512).
        blocks: How often each occurs in each block, (blocks, n); at least two molecules outside each.
    """
    center = np.average(activations, axis=0, weights=blocks.sum(axis=0)).astype(np.float64)
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
    """Number, sum and sum of outer products of the deviations from ``center``."""
    rows = np.flatnonzero(counts)
    values = activations[rows] - center
    weighted = values * counts[rows, None]
    return int(counts.sum()), weighted.sum(axis=0), weighted.T @ values


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
