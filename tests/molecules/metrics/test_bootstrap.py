"""Intervals against the spread of repeated experiments."""

import numpy as np
import pytest

from medpipe.molecules.metrics.bootstrap import fraction_interval, half_sample_interval, mean_interval


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("hits", [0, 100])
def test_certain_fractions_have_no_width(hits: int) -> None:
    assert fraction_interval(hits, 100, 500, _rng()) == (hits / 100, hits / 100)


def test_fraction_interval_has_binomial_width() -> None:
    low, high = fraction_interval(500, 1000, 20000, _rng())
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 1000), rel=0.05)


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
