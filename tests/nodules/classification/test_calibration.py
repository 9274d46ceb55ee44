import numpy as np
import pytest
from sklearn.calibration import _SigmoidCalibration
from sklearn.metrics import roc_auc_score, roc_curve

from medpipe.nodules.classification.calibration import (
    Calibration,
    fit_calibration,
    prior_calibration,
    youden_threshold,
)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    targets = (generator.random(200) < 0.3).astype(float)
    return 1.5 * targets + generator.normal(0, 1, 200), targets


def test_calibration_is_platts_as_scikit_learn_has_it(scored):
    logits, targets = scored
    peer = _SigmoidCalibration().fit(logits, targets)
    np.testing.assert_allclose(fit_calibration(logits, targets).probability(logits), peer.predict(logits), atol=1e-4)


def test_calibration_keeps_the_order_and_meets_the_share(scored):
    logits, targets = scored
    probability = fit_calibration(logits, targets).probability(logits)
    assert roc_auc_score(targets, probability) == roc_auc_score(targets, logits)
    assert probability.mean() == pytest.approx(targets.mean(), abs=0.01)


def test_classes_perfectly_apart_stay_finite():
    calibration = fit_calibration(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    probability = calibration.probability([-3.0, 3.0])
    assert 0.05 < probability[0] < 0.5 < probability[1] < 0.95


@pytest.mark.parametrize("targets", [[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]])
def test_there_is_no_calibration_for_one_class_or_a_reversed_order(targets: list[int]):
    assert fit_calibration(np.array([-2.0, -1.0, 1.0, 2.0]), np.array(targets, dtype=float)) is None


def test_the_prior_gives_even_logits_the_share_of_the_data():
    assert prior_calibration(3, 9).probability([0.0]) == pytest.approx(0.25)
    assert Calibration().probability([0.0]) == pytest.approx(0.5)


def test_the_threshold_has_the_highest_youden_index(scored):
    logits, targets = scored
    probability = Calibration().probability(logits)
    called = probability >= youden_threshold(probability, targets)
    index = called[targets == 1].mean() - called[targets == 0].mean()
    false, hit, _ = roc_curve(targets, probability)
    assert index == pytest.approx((hit - false).max())


def test_the_threshold_lies_between_the_findings():
    assert youden_threshold(np.array([0.1, 0.3, 0.7]), np.array([0.0, 0.0, 1.0])) == pytest.approx(0.5)
    assert youden_threshold(np.array([0.1, 0.3]), np.array([0.0, 0.0])) == 0.5
