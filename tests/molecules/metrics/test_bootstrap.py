"""Intervals against the spread of repeated experiments."""

import numpy as np
import pytest

from medpipe.molecules.metrics.bootstrap import (
    block_counts,
    fraction_interval,
    half_sample_interval,
    jackknife_interval,
    mean_interval,
    quantile_interval,
)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("hits", "expected"), [(0, (0.0, 0.0370)), (100, (0.9630, 1.0)), (81, (0.7222, 0.8749))])
def test_a_share_of_a_hundred_is_not_certain(hits: int, expected: tuple[float, float]) -> None:
    """By the formula: (p + z^2 / 2n -+ z ((p (1 - p) + z^2 / 4n) / n)^(1/2)) / (1 + z^2 / n), z = 1.96."""
    assert fraction_interval(hits, 100) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_share_lies_in_its_interval_as_often_as_it_says(share: float) -> None:
    inside = [
        low <= share <= high for low, high in (fraction_interval(k, 300) for k in _rng().binomial(300, share, 600))
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_mean_interval_has_the_width_of_the_standard_error() -> None:
    values = _rng().normal(size=800)
    low, high = mean_interval(values, np.ones(800, dtype=np.int64), 4000, _rng())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(800), rel=0.06)
    twice = mean_interval(values, np.ones(800, dtype=np.int64), 4000, _rng(), spread=2.0)
    assert twice[1] - twice[0] == pytest.approx(2 * (high - low))


def test_interval_of_uniqueness_has_the_width_of_repeated_samples() -> None:
    rng = _rng()
    n, kinds, replicates = 1000, 40_000, 600

    def unique(rows: np.ndarray) -> float:
        return len(np.unique(rows)) / len(rows)

    repeated = [unique(rng.integers(kinds, size=n)) for _ in range(replicates)]
    widths = []
    for _ in range(10):
        low, high = half_sample_interval(unique, rng.integers(kinds, size=n), 300, rng)
        widths.append(high - low)
    expected = np.quantile(repeated, 0.975) - np.quantile(repeated, 0.025)
    assert np.mean(widths) == pytest.approx(expected, rel=0.3)


def test_jackknife_of_a_mean_has_the_width_of_the_standard_error() -> None:
    rng = _rng()
    values = rng.normal(size=(100, 2000))
    widths = []
    for sample in values:
        parts = block_counts(np.arange(2000), 2000, rng)
        without = ((1 - parts) @ sample) / (1 - parts).sum(axis=1)
        low, high = jackknife_interval(float(sample.mean()), without)
        widths.append(high - low)
    assert np.mean(widths) == pytest.approx(2 * 2.09 / np.sqrt(2000), rel=0.05)


def test_jackknife_covers_a_nonlinear_statistic() -> None:
    rng = _rng()
    hits = 0
    for _ in range(400):
        sample = rng.exponential(size=400)
        parts = block_counts(np.arange(400), 400, rng)
        without = np.array([sample[part == 0].std() for part in parts])
        low, high = jackknife_interval(float(sample.std()), without)
        hits += low <= 1.0 <= high
    assert hits / 400 == pytest.approx(0.93, abs=0.04)


def test_jackknife_stays_within_what_is_possible() -> None:
    assert jackknife_interval(0.99, np.array([0.9, 1.0, 0.95]), 0.0, 1.0)[1] == 1.0


@pytest.mark.parametrize(("n", "n_blocks"), [(1, 1), (7, 7), (90, 20)])
def test_blocks_share_the_strings(n: int, n_blocks: int) -> None:
    rows = np.arange(n) // 2
    counts = block_counts(rows, n, _rng())
    assert len(counts) == n_blocks
    assert np.array_equal(counts.sum(axis=0), np.bincount(rows, minlength=n))
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_quantile_interval_covers_the_quantile() -> None:
    rng = _rng()
    hits = 0
    for _ in range(300):
        low, high = quantile_interval(rng.uniform(size=200), 0.95, 400, rng)
        hits += low <= 0.95 <= high
    assert hits / 300 == pytest.approx(0.95, abs=0.04)
