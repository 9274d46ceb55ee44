"""95 % intervals of the measures: of shares by formula, of the others by resampling the molecules."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
N_BLOCKS = 20
"""Parts that are left out in turn; 20 give a standard error that is itself known to 16 %."""
_BLOCK = 1 << 22  # numbers drawn at a time, 32 MB

Interval = tuple[float, float]


def _percentiles(values: npt.NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def fraction_interval(hits: int, n: int) -> Interval:
    """Interval of a share ``hits / n`` (Wilson, J. Am. Stat. Assoc. 22, 209, 1927).

    Drawing again would call a share of 0 or 1 certain, however few the strings are.
    """
    from scipy.stats import binomtest

    found = binomtest(hits, n).proportion_ci(LEVEL, "wilson")
    return float(found.low), float(found.high)


def mean_interval(
    values: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    replicates: int,
    rng: np.random.Generator,
    spread: float = 1.0,
) -> Interval:
    """Interval of a mean over molecules.

    Args:
        values: Of the distinct molecules, (n,).
        counts: How often each occurs, (n,).
        replicates: Resamples.
        rng: Source of randomness.
        spread: Factor of the deviation of a resampled mean from the mean. A mean over all pairs of molecules varies
            twice as much as the mean of its rows, to first order (Hoeffding), so its interval takes 2.
    """
    flat = np.repeat(values, counts)
    block = max(1, _BLOCK // len(flat))
    means = np.concatenate(
        [
            flat[rng.integers(len(flat), size=(min(block, replicates - done), len(flat)))].mean(axis=1)
            for done in range(0, replicates, block)
        ]
    )
    center = flat.mean()
    return _percentiles(center + spread * (means - center))


def half_sample_interval(
    statistic: Callable[[npt.NDArray[np.int64]], float],
    rows: npt.NDArray[np.int64],
    replicates: int,
    rng: np.random.Generator,
) -> Interval:
    """Interval of a statistic that drawing with replacement would bias, such as uniqueness.

    Halves are drawn without replacement. A half varies around the mean of the halves as the whole varies around its
    expectation (half of the sampling variance of n/2 is that of n), so these deviations are put around the value of
    the whole.

    Args:
        statistic: Function of an array of rows.
        rows: Molecule of each string, (n,), n >= 2.
        replicates: Number of halves.
        rng: Source of randomness.
    """
    halves = np.array([statistic(rng.permutation(rows)[: len(rows) // 2]) for _ in range(replicates)])
    return _percentiles(statistic(rows) + halves - halves.mean())


def block_counts(row_of: npt.NDArray[np.int64], n_distinct: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Cuts strings into random parts of equal size: how often each molecule occurs in each part.

    Args:
        row_of: Molecule of each string, (n,).
        n_distinct: Number of molecules.
        rng: Source of randomness.

    Returns:
        (blocks, n_distinct), as many blocks as ``N_BLOCKS`` or strings.
    """
    n_blocks = min(N_BLOCKS, len(row_of))
    counts = np.zeros((n_blocks, n_distinct), dtype=np.int64)
    np.add.at(counts, (rng.permutation(len(row_of)) % n_blocks, row_of), 1)
    return counts


def jackknife_interval(
    value: float, without: npt.NDArray[np.float64], lowest: float = -np.inf, highest: float = np.inf
) -> Interval:
    """Interval of a smooth statistic from its values without one part after the other (delete-a-group jackknife).

    Drawing with replacement would bias measures such as the Fréchet distance, which grow as molecules repeat; here each
    value comes from 95 % of the molecules as they are, and only the spread of the values counts (Efron and Tibshirani,
    An Introduction to the Bootstrap, 1993, chapter 11; Student's t for the few parts).

    Args:
        value: Of the whole.
        without: Of the whole without each part, (blocks,).
        lowest: Least value that is possible.
        highest: Largest value that is possible.
    """
    from scipy.stats import t

    n = len(without)
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1) * error)
    return max(value - reach, lowest), min(value + reach, highest)


def quantile_interval(
    values: npt.NDArray[np.float64], share: float, replicates: int, rng: np.random.Generator
) -> Interval:
    """Interval of a quantile: resampling n values moves the rank it is found at as a binomial draw."""
    ranks = rng.binomial(len(values), share, size=replicates).clip(0, len(values) - 1)
    return _percentiles(np.sort(values)[ranks])
