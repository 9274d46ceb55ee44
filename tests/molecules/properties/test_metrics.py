"""Against scikit-learn, sets of drawn molecules written out row by row."""

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics as reference

from medpipe.molecules.properties.metrics import classification_metrics, draw_weights, mean_of_tasks, regression_metrics

RNG = np.random.default_rng(0)
N = 60


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return draw_weights(N, 5, seed=3)


def test_sets_are_drawn_with_replacement(weights: np.ndarray) -> None:
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == N).all()
    assert (weights[1:] > 1).any()


@pytest.mark.parametrize("row", range(6))
def test_numbers(weights: np.ndarray, row: int) -> None:
    target = RNG.normal(size=N)
    value = target + 0.3 * RNG.normal(size=N)
    found = regression_metrics(target, value, np.full(N, 0.3), weights)
    times = weights[row].astype(int)
    y, p = np.repeat(target, times), np.repeat(value, times)
    assert found["rmse"][row] == pytest.approx(reference.root_mean_squared_error(y, p))
    assert found["mae"][row] == pytest.approx(reference.mean_absolute_error(y, p))
    assert found["r2"][row] == pytest.approx(reference.r2_score(y, p))
    assert found["coverage_95"][row] == pytest.approx(np.mean(np.abs(y - p) <= 1.96 * 0.3))


@pytest.mark.parametrize("row", range(6))
def test_classes_with_ties(weights: np.ndarray, row: int) -> None:
    target = (RNG.uniform(size=N) < 0.3).astype(float)
    probability = RNG.integers(0, 8, size=N) / 8
    found = classification_metrics(target, probability, weights, 10)
    times = weights[row].astype(int)
    y, p = np.repeat(target, times), np.repeat(probability, times)
    assert found["auroc"][row] == pytest.approx(reference.roc_auc_score(y, p))
    assert found["auprc"][row] == pytest.approx(reference.average_precision_score(y, p))
    assert found["brier"][row] == pytest.approx(reference.brier_score_loss(y, p))


def test_the_calibration_error_of_a_known_case() -> None:
    target, probability = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.25, 0.25, 0.95, 0.95])
    found = classification_metrics(target, probability, np.ones((1, 4)), 10)
    assert found["calibration_error"][0] == pytest.approx((2 * 0.25 + 2 * 0.05) / 4)


def test_one_class_alone_has_no_curve() -> None:
    found = classification_metrics(np.zeros(3), np.array([0.1, 0.2, 0.3]), np.ones((1, 3)), 10)
    assert np.isnan(found["auroc"][0])
    assert np.isnan(found["auprc"][0])


def test_the_fit_of_numbers_far_from_zero() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    value, unit, sets = target + 0.1, np.ones(200), np.ones((1, 200))
    near, far = (regression_metrics(target + at, value + at, unit, sets)["r2"][0] for at in (0.0, 1e7))
    assert far == pytest.approx(near, abs=1e-6)


def test_the_mean_over_tasks_is_of_those_that_are_defined() -> None:
    nan = np.nan
    of_tasks = [np.array([0.8, 0.6, nan]), np.array([0.6, nan, nan]), np.array([nan, 1.0, 1.0])]
    mean = mean_of_tasks(of_tasks)
    assert mean is not None
    np.testing.assert_allclose(mean, [0.7, 0.6, nan])
    assert mean_of_tasks([np.array([nan, 0.5])]) is None


def test_memory_does_not_grow_with_the_number_of_sets() -> None:
    rng = np.random.default_rng(0)
    target, probability = rng.integers(2, size=10_000).astype(float), rng.uniform(size=10_000)
    weights = draw_weights(10_000, 400, 0)  # 32 MB as floating point numbers
    tracemalloc.start()
    classification_metrics(target, probability, weights, 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120e6
