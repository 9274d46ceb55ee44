"""Generators on the same test molecules."""

import pandas as pd
import pytest

from medpipe.molecules.metrics.contest import GeneratorGateParams, nothing_drawn, score_generator
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.promotion.gate import decide
from medpipe.promotion.params import GuardParams, HeadlineParams

FAST = ScoreParams(n_jobs=1, fcd=False, unique_at=(100,), device="cpu")
GATE = GeneratorGateParams(
    headline=HeadlineParams(metric="SNN_Test", better="higher"),
    guards={
        "valid": GuardParams(better="higher", tolerance=0.02),
        "novelty": GuardParams(better="higher", tolerance=0.05),
    },
    n_bootstraps=100,
    min_units=20,
)


@pytest.fixture(scope="module")
def score(smiles_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")

    def measure(smiles: list[str]):
        drawn = pd.DataFrame({"smiles": smiles}).astype("str")
        return score_generator(drawn, smiles_table, folder / "mine.smi", FAST, GATE, folder)

    return measure


def of_split(table: pd.DataFrame, split: str) -> list[str]:
    return table.loc[table["split"] == split, "smiles"].tolist()


def judge(champion, challenger):
    return decide(champion, challenger, GATE, champion_version="1", challenger_version="2")


def test_values_have_their_own_intervals(score):
    scores = score(["CCO"] * 30 + ["C1CC"] * 10)
    assert scores.values["valid"] == 0.75
    low, high = scores.intervals["valid"]
    assert low < 0.75 < high
    assert not any(name.endswith(("_low", "_high", "_floor", "_of_test")) for name in scores.values)


def test_more_like_test_wins_and_the_same_is_a_tie(score, smiles_table):
    test = of_split(smiles_table, "test")
    far, near = score(["CCO", "CCN", "CCC"] * 20), score(test)
    assert judge(far, near).headline.verdict == "better"
    assert judge(far, near).outcome == "promote"
    assert judge(near, near).outcome == "keep"


def test_what_was_learnt_by_heart_is_refused(score, smiles_table):
    far, train = score(["CCO", "CCN", "CCC"] * 20), score(of_split(smiles_table, "train"))
    decision = judge(far, train)
    assert decision.headline.verdict == "better"
    assert decision.outcome == "keep"
    assert "novelty is 0 against 1: the loss 1 is beyond the tolerance 0.05" in decision.reason


def test_scores_of_other_molecules_are_never_compared(score, smiles_table, tmp_path):
    changed = smiles_table[smiles_table["smiles"] != of_split(smiles_table, "test")[0]]
    other = score_generator(
        pd.DataFrame({"smiles": ["CCO"] * 40}), changed, tmp_path / "mine.smi", FAST, GATE, tmp_path
    )
    decision = judge(score(["CCO"] * 40), other)
    assert decision.outcome == "undecided"
    assert "different test data" in decision.reason


def test_no_generator_is_told(smiles_table, tmp_path):
    found = score_generator(nothing_drawn("There is none."), smiles_table, tmp_path, FAST, GATE, tmp_path)
    assert found.problem == "There is none."


def test_intervals_are_those_of_the_measures():
    with pytest.raises(ValueError, match=r"0\.95"):
        GeneratorGateParams(confidence=0.9)
