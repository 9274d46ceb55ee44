"""Fréchet ChemNet distance: two sets of molecules compared as normal distributions of ChemNet's activations."""

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


def frechet_distance(first: Moments, second: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), by eigenvalues of symmetric matrices.

    (C1 C2)^(1/2) has the trace of (A C2 A)^(1/2) with A = C1^(1/2). Both roots are of symmetric matrices without
    negative eigenvalues, so singular covariances (few molecules) need no care and nothing turns complex.
    """
    difference = first.mean - second.mean
    root = _root(first.covariance)
    between = np.linalg.eigvalsh(root @ second.covariance @ root)
    traces = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(between.clip(min=0)).sum()
    return float(difference @ difference + traces)


def _root(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T)
