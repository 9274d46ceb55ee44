"""How far new data lie from those of the last finished run.

The unit is a scan (one a patient) or a molecule. The size of a difference is the population stability index, over the
deciles of the reference (numbers) or fixed bins (histograms),

    PSI = sum over bins of (q - p) ln(q / p),

where below 0.1 is commonly called stable and above 0.25 a large shift (Siddiqi, Credit Risk Scorecards, Wiley 2006).
Small samples have a large PSI by chance alone, so a difference counts only if it is also more than chance: the largest
gap of the cumulative distributions (Kolmogorov-Smirnov), by permutation, corrected over all features (Holm).
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medpipe.ct.cohort_report.drift import ALPHA, holm, permutation_test

N_PERMUTATIONS = 999
N_BINS = 10
MAX_GRID = 256
"""Most values at which cumulative distributions are compared."""
_PRIOR = 0.5
"""Added to each bin's count (Jeffreys), so that an empty bin is not infinitely far."""
_FLOOR = 1e-4
"""Smallest share of a bin of a histogram, which is made of very many voxels."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """A sample of inputs, without names.

    Attributes:
        unit: What a value is of, in the plural.
        numbers: Feature to one value a unit.
        histograms: Feature to one histogram a unit: shares of bins that are the same everywhere.
    """

    unit: str
    numbers: Mapping[str, list[float]]
    histograms: Mapping[str, list[list[float]]]

    def to_json(self) -> str:
        """As it is kept; four digits tell enough."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Profile":
        """What ``to_json`` gave."""
        return Profile(**json.loads(text))


@dataclass(frozen=True)
class Drift:
    """How far one feature has moved.

    Attributes:
        feature: Its name.
        psi: Population stability index.
        ks: Largest gap of the cumulative distributions, 0 to 1.
        p: Chance of a gap as large, corrected over the features.
        n_reference: Units then.
        n: Units now.
    """

    feature: str
    psi: float
    ks: float
    p: float
    n_reference: int
    n: int

    def above(self, threshold: float) -> bool:
        """Whether the PSI reaches a threshold by more than chance."""
        return self.psi >= threshold and self.p <= ALPHA


def compare(reference: Profile, now: Profile, seed: int = 0) -> list[Drift]:
    """Compares two samples, feature by feature; features that one of them lacks are left out.

    Returns:
        The largest PSI first.
    """
    found = []
    for name, values in now.numbers.items():
        if values and reference.numbers.get(name):
            old, new = np.array(reference.numbers[name]), np.array(values)
            found.append((name, psi_of_numbers(old, new), *_cumulative(old, new)))
    for name, rows in now.histograms.items():
        if rows and reference.histograms.get(name):
            old, new = np.array(reference.histograms[name]), np.array(rows)
            size = psi(np.maximum(old.mean(axis=0), _FLOOR), np.maximum(new.mean(axis=0), _FLOOR))
            found.append((name, size, old.cumsum(axis=1), new.cumsum(axis=1)))
    tests = [
        permutation_test(old, new, _largest_gap, _stream(seed, name), N_PERMUTATIONS) for name, _, old, new in found
    ]
    corrected = holm(np.array([p for _, p in tests]))
    drifts = [
        Drift(name, size, gap, float(p), len(old), len(new))
        for (name, size, old, new), (gap, _), p in zip(found, tests, corrected, strict=True)
    ]
    return sorted(drifts, key=lambda drift: -drift.psi)


def psi(reference: ArrayLike, now: ArrayLike) -> float:
    """Population stability index of two sets of positive weights of the same bins."""
    p, q = np.asarray(reference, dtype=np.float64), np.asarray(now, dtype=np.float64)
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def psi_of_numbers(reference: FloatArray, now: FloatArray) -> float:
    """Population stability index over the deciles of the reference; a value that many share has a bin of its own."""
    deciles = np.quantile(reference, np.arange(1, N_BINS) / N_BINS, method="inverted_cdf")
    values, counts = np.unique(reference, return_counts=True)
    shared = values[counts > len(reference) / N_BINS]
    edges = np.unique(np.concatenate([deciles, shared, np.nextafter(shared, -np.inf)]))
    then, here = (np.bincount(np.searchsorted(edges, some), minlength=len(edges) + 1) for some in (reference, now))
    return psi(then + _PRIOR, here + _PRIOR)


def _cumulative(old: FloatArray, new: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each value as its own cumulative distribution on a common grid: n x k."""
    grid = np.unique(np.concatenate([old, new]))
    if len(grid) > MAX_GRID:
        grid = np.unique(np.quantile(grid, np.linspace(0, 1, MAX_GRID), method="inverted_cdf"))
    return (old[:, None] <= grid).astype(np.float64), (new[:, None] <= grid).astype(np.float64)


def _largest_gap(gaps: FloatArray) -> FloatArray:
    return np.asarray(np.abs(gaps).max(axis=1))


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
