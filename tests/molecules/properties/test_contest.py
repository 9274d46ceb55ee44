"""Property models on the same molecules of test."""

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.properties.contest import molecules_of_test, score_properties
from medpipe.molecules.properties.contest_params import PropertyGateParams
from medpipe.molecules.properties.evaluate import evaluate_properties
from medpipe.molecules.properties.params import EvaluatePropertiesParams
from medpipe.promotion.gate import decide
from medpipe.promotion.params import HeadlineParams
from medpipe.promotion.scores import Scores

GATE = PropertyGateParams(n_bootstraps=100)
EVALUATION = EvaluatePropertiesParams(n_bootstraps=50)


@pytest.fixture(scope="module")
def test_set(table, trained) -> pd.DataFrame:
    return molecules_of_test(table, {"champion": trained[0]})


@pytest.fixture(scope="module")
def scores(trained, test_set) -> Scores:
    return score_properties(trained[0], test_set, GATE, EVALUATION)


def test_a_model_saw_no_molecule_of_its_own_test(test_set, table):
    assert len(test_set) == (table["split"] == "test").sum()
    assert set(test_set["seen_by"]) == {""}


def test_molecules_that_a_model_was_trained_on_are_left_out(trained, table):
    moved = table.assign(split=table["split"].map({"train": "test", "val": "train", "test": "test"}))
    test = molecules_of_test(moved, {"champion": trained[0]})
    was_train = table.set_index("smiles").loc[test["smiles"], "split"].to_numpy() == "train"
    assert (test["seen_by"] == "champion").tolist() == was_train.tolist()
    units = test.loc[~was_train, ["log P", "has_n"]].notna().sum().min()
    assert 0 < score_properties(trained[0], test, GATE, EVALUATION).n_units == units < len(test)


def test_values_are_those_of_the_evaluation(trained, table, scores):
    expected, _ = evaluate_properties(trained[0], table, EVALUATION)
    for name in ("mean/rmse", "mean/auroc", "mean/calibration_error", "log P/mae"):
        assert scores.values[name] == pytest.approx(expected[name])
    assert scores.values["mean/coverage_error"] == pytest.approx(abs(expected["mean/coverage_95"] - 0.95))
    assert len(scores.drawn["mean/rmse"]) == 100


@pytest.mark.parametrize(
    ("values", "headline", "better"),
    [
        ({"mean/rmse": 1.0, "mean/auroc": 0.9}, "mean/rmse", "lower"),
        ({"mean/auroc": 0.9}, "mean/auroc", "higher"),
        ({}, "mean/rmse", "lower"),
    ],
)
def test_the_headline_is_what_the_targets_call_for(values, headline, better):
    rules = GATE.rules(Scores("t", "molecules", 9, values))
    assert (rules.headline.metric, rules.headline.better) == (headline, better)
    assert headline not in rules.guards


def test_a_headline_of_ones_own_is_kept():
    gate = PropertyGateParams(headline=HeadlineParams(metric="log P/mae", better="lower"))
    assert gate.rules(Scores("t", "molecules", 9, {"mean/rmse": 1.0})).headline.metric == "log P/mae"


def test_a_model_of_other_targets_is_a_problem_not_a_crash(trained, test_set):
    found = score_properties(trained[0], test_set.assign(solubility=1.0), GATE, EVALUATION)
    assert "does not predict solubility" in found.problem


def test_no_model_is_told(test_set):
    assert score_properties(None, test_set, GATE, EVALUATION).problem == "There is no such model."


def test_no_molecule_of_test_leaves_it_undecided(trained, test_set):
    empty = score_properties(trained[0], test_set.iloc[:0], GATE, EVALUATION)
    assert empty.n_units == 0
    assert decide(None, empty, GATE, challenger_version="1").outcome == "undecided"


def test_the_fingerprint_is_that_of_the_molecules_and_their_targets(trained, test_set, scores):
    changed = test_set.assign(**{"log P": test_set["log P"] + 1})
    assert score_properties(trained[0], changed, GATE, EVALUATION).test != scores.test
    assert score_properties(None, test_set, GATE, EVALUATION).test == scores.test
    assert np.isfinite(scores.values["mean/rmse"])


def test_a_target_of_one_molecule_decides_nothing(trained, test_set):
    known = test_set["log P"].where(np.arange(len(test_set)) == 0)
    scores = score_properties(trained[0], test_set.assign(**{"log P": known}), GATE, EVALUATION)
    assert "mean/rmse" not in scores.values
    assert "log P/rmse" in scores.values
    assert scores.n_units >= GATE.min_units  # of the classes, which decide then
    own = GATE.model_copy(update={"headline": HeadlineParams(metric="log P/rmse", better="lower")})
    alone = score_properties(trained[0], test_set.assign(**{"log P": known}), own, EVALUATION)
    assert alone.n_units == 1
    assert decide(None, alone, own, challenger_version="1").outcome == "undecided"


def test_units_are_the_molecules_of_the_target_that_has_the_fewest(trained, test_set):
    known = test_set["log P"].where(np.arange(len(test_set)) < 10)
    assert score_properties(trained[0], test_set.assign(**{"log P": known}), GATE, EVALUATION).n_units == 10
