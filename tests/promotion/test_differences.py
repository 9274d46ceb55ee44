import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import norm

from medpipe.promotion.differences import difference, expanded_tail, independent_interval, paired_interval
from medpipe.promotion.scores import Scores


def drawn_means(values, sets):
    return sets @ values / sets.sum(axis=1)


def draw(n, n_sets, seed=0):
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_sets)


def test_the_interval_is_that_of_scipy_but_for_its_wider_tails():
    rng = np.random.default_rng(1)
    first = rng.normal(size=40)
    second = first + rng.normal(0.3, 0.5, size=40)
    sets = draw(40, 20_000)
    found = paired_interval(drawn_means(first, sets), drawn_means(second, sets), 0.95, 40)
    expected = scipy_bootstrap(
        (second - first,),
        np.mean,
        method="percentile",
        confidence_level=1 - 2 * expanded_tail(0.95, 40),
        n_resamples=20_000,
        rng=2,
    ).confidence_interval
    assert found == pytest.approx(expected, abs=0.01)


def test_tails_are_those_of_the_normal_for_many_units_and_wider_for_few():
    assert expanded_tail(0.95, 100_000) == pytest.approx(0.025, abs=1e-4)
    assert expanded_tail(0.95, 10) < 0.01
    # of a mean, the expanded interval has the half-width of Student's t
    reach = norm.isf(expanded_tail(0.95, 10)) * np.sqrt(9 / 10)
    assert reach == pytest.approx(2.262, abs=1e-3)


@pytest.mark.parametrize("n", [12, 40])
def test_the_paired_interval_covers_the_true_difference(n):
    """Two models on the same patients, some of whom are hard for both; 1000 test sets."""
    rng = np.random.default_rng(5)
    sets = draw(n, 500)
    hit = 0
    for _ in range(1000):
        hard = rng.normal(size=n)
        first, second = hard + rng.normal(size=n) * 0.3, hard + 0.1 + rng.normal(size=n) * 0.3
        low, high = paired_interval(drawn_means(first, sets), drawn_means(second, sets), 0.95, n)
        hit += low <= 0.1 <= high
    assert 0.925 <= hit / 1000 <= 0.975  # three standard errors of 95 %, and the little that percentiles lack


def test_pairs_cancel_what_is_hard_for_both():
    rng = np.random.default_rng(3)
    hard = rng.normal(size=50)
    first, second = hard, hard + 0.1 + rng.normal(size=50) * 0.05
    sets = draw(50, 2000)
    low, high = paired_interval(drawn_means(first, sets), drawn_means(second, sets), 0.95, 50)
    unpaired = paired_interval(drawn_means(first, sets), drawn_means(second, draw(50, 2000, seed=9)), 0.95, 50)
    assert high - low < (unpaired[1] - unpaired[0]) / 5
    assert low > 0 > unpaired[0]


def test_sets_that_do_not_define_both_are_left_out():
    first, second = np.array([0.0, np.nan, 0.0]), np.array([1.0, 5.0, np.nan])
    assert paired_interval(first, second, 0.95, 20) == (1.0, 1.0)
    assert np.isnan(paired_interval(first[1:], second[1:], 0.95, 20)).all()


def test_the_interval_of_independent_numbers_is_that_of_the_normal():
    """For symmetric intervals, variances add (Zou and Donner's limits reduce to Wald's)."""
    low, high = independent_interval(5.0, (4.4, 5.6), 3.0, (2.2, 3.8))
    assert (low, high) == pytest.approx((1.0, 3.0))


def test_gain_is_counted_in_the_direction_that_is_better():
    champion = Scores.of_sets("t", "patients", 20, {"rmse": np.array([2.0, 2.0, 2.2])})
    challenger = Scores.of_sets("t", "patients", 20, {"rmse": np.array([1.5, 1.4, 1.8])})
    found = difference("rmse", "lower", champion, challenger, 0.95)
    assert found.gain == pytest.approx(0.5)
    assert found.gain_interval[0] > 0


@pytest.mark.parametrize("values", [{}, {"cpm": np.array([np.nan, 0.1])}])
def test_there_is_no_difference_without_both_numbers(values):
    there = Scores.of_sets("t", "patients", 20, {"cpm": np.array([0.5, 0.4])})
    assert difference("cpm", "higher", there, Scores.of_sets("t", "patients", 20, values), 0.95) is None


def test_scores_come_back_from_parquet(tmp_path):
    import pandas as pd

    scores = Scores("t", "patients", 7, {"a": 1.0, "b": 2.0}, {"a": np.array([0.5, np.nan])}, {"b": (1.5, 2.5)})
    scores.table().to_parquet(tmp_path / "scores.parquet")
    back = Scores.of_table(pd.read_parquet(tmp_path / "scores.parquet"))
    assert (back.test, back.unit, back.n_units, back.problem) == ("t", "patients", 7, "")
    assert (back.values, back.intervals) == (scores.values, scores.intervals)
    np.testing.assert_array_equal(back.drawn["a"], [0.5, np.nan])
    empty = Scores("t", "patients", 0, problem="It is gone.")
    assert Scores.of_table(empty.table()) == empty
