import numpy as np
import pytest
from scipy.special import expit
from scipy.special import logit as scipy_logit

from medpipe.nodules.detection.combination import Combination, fit_combination, logit


def drawn(n: int, bias: float, first: float, second: float, seed: int = 0):
    """Probabilities of two networks, and a truth that follows the logistic model."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (n, 2))
    truth = generator.random(n) < expit(bias + logits @ [first, second])
    return expit(logits[:, 0]), expit(logits[:, 1]), truth


def test_the_weights_that_made_the_data_are_found():
    found = fit_combination(*drawn(20_000, -1.0, 0.7, 1.3))
    np.testing.assert_allclose(found.to_list(), [-1.0, 0.7, 1.3], atol=0.1)


@pytest.mark.parametrize(("first", "second", "silent"), [(1.0, -1.0, 2), (-1.0, 1.0, 1)])
def test_a_network_that_misleads_gets_no_weight(first: float, second: float, silent: int):
    weights = fit_combination(*drawn(3_000, 0.0, first, second)).to_list()
    assert weights[silent] == 0
    assert weights[3 - silent] > 0


def test_with_few_examples_both_count_alike():
    assert fit_combination([0.9] * 9 + [0.1] * 50, [0.8] * 59, [True] * 9 + [False] * 50) == Combination(0.0, 0.5, 0.5)


def test_the_combination_is_a_probability_even_of_certainty():
    combined = Combination(0.0, 0.5, 0.5)([0.0, 1.0, 0.5, 1.0], [0.0, 1.0, 0.5, 0.0])
    assert 0 < combined[0] < 1e-3
    assert 1 - 1e-3 < combined[1] < 1
    np.testing.assert_allclose(combined[2], 0.5)


def test_a_second_look_that_is_all_too_certain_leaves_the_order_to_the_detector():
    combined = Combination(0.0, 0.5, 0.5)([0.9, 0.5, 0.1], [1e-9, 1e-6, 0.01])
    assert combined[0] > combined[1] > combined[2]


def test_logit_is_scipys():
    probability = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(logit(probability), scipy_logit(probability), rtol=1e-12)


def test_a_list_holds_it_all():
    combination = Combination(-1.5, 0.25, 0.75)
    assert Combination.from_list(combination.to_list()) == combination
