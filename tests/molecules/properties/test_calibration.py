import numpy as np
import pytest

from medpipe.molecules.properties.calibration import fit_deviation, fit_logits


def test_variance_is_found_again() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 2.0, 20_000)
    errors = rng.normal(scale=np.sqrt(3.0 * spread**2 + 0.25))
    factor, offset = fit_deviation(errors, spread, 1.0)
    assert factor == pytest.approx(3.0, rel=0.05)
    assert offset == pytest.approx(0.25, rel=0.1)


def test_without_spread_the_errors_speak() -> None:
    errors = np.array([1.0, -2.0, 2.0])
    assert fit_deviation(errors, np.zeros(3), 1.0) == (0.0, pytest.approx(3.0))


def test_where_val_says_nothing_the_deviation_of_train_stands() -> None:
    assert fit_deviation(np.zeros(0), np.zeros(0), 9.0) == (0.0, 9.0)


def test_logits_are_brought_to_the_odds_of_val() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=50_000)
    targets = (rng.uniform(size=50_000) < 1 / (1 + np.exp(-(2.0 * logits - 1.0)))).astype(float)
    assert fit_logits(logits, targets) == (pytest.approx(2.0, rel=0.05), pytest.approx(-1.0, rel=0.05))


@pytest.mark.parametrize(
    ("logits", "targets"),
    [([0.1] * 20, [1] * 18 + [0] * 2), (list(range(20)), [1] * 10 + [0] * 10)],
    ids=["too few of a class", "the wrong way round"],
)
def test_what_val_cannot_say_stays(logits: list[float], targets: list[int]) -> None:
    assert fit_logits(np.array(logits, dtype=float), np.array(targets, dtype=float)) == (1.0, 0.0)
