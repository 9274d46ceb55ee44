from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from medpipe.core.atomic import write_json
from medpipe.promotion.gate import decide
from medpipe.promotion.params import GateParams, GuardParams, HeadlineParams
from medpipe.promotion.scores import Scores

N = 30
RNG = np.random.default_rng(0)
NOISE = RNG.normal(scale=0.1, size=200)
GATE = GateParams(
    headline=HeadlineParams(metric="cpm", better="higher"),
    guards={
        "sensitivity": GuardParams(better="higher", tolerance=0.02),
        "dice": GuardParams(better="higher", tolerance=0.02, optional=True),
    },
)


def scores(cpm=0.5, sensitivity=0.7, spread=0.01, **more):
    """Drawn sets share their noise between models, so that a difference of means is one of all sets."""
    values = {"cpm": cpm, "sensitivity": sensitivity, **more}
    extra = RNG.normal(scale=spread, size=200)
    drawn = {name: np.concatenate([[value], value + NOISE + extra]) for name, value in values.items()}
    return Scores.of_sets("test-1", "patients", N, drawn)


def judge(champion, challenger, gate=GATE):
    return decide(champion, challenger, gate, champion_version="1", challenger_version="2")


def test_a_clear_gain_with_all_guards_held_is_promoted():
    decision = judge(scores(), scores(cpm=0.6))
    assert decision.outcome == "promote"
    assert "Version 2 replaces version 1: cpm is 0.6 against 0.5, a gain of 0.1 (95% interval" in decision.reason
    assert "on 30 patients; no guard" in decision.reason
    assert [guard.verdict for guard in decision.guards] == ["held", "does not apply"]


def test_equal_models_are_a_tie_and_keep_the_champion():
    same = scores()
    decision = judge(same, same)
    assert decision.outcome == "keep"
    assert "a tie, with a gain of 0 (95% interval 0 to 0)" in decision.reason


@pytest.mark.parametrize(
    ("challenger", "gate", "said"),
    [
        (scores(cpm=0.505, spread=0.05), GATE, "a tie"),
        (scores(cpm=0.4), GATE, "a loss of 0.1"),
        (scores(cpm=0.6, sensitivity=0.6), GATE, "the loss 0.1 is beyond the tolerance 0.02"),
        (
            scores(cpm=0.6),
            GATE.model_copy(update={"headline": HeadlineParams(metric="cpm", better="higher", min_gain=0.2)}),
            "not clearly more than 0.2",
        ),
        (
            scores(cpm=0.6, sensitivity=0.69, spread=0.05),
            GATE.model_copy(
                update={"guards": {"sensitivity": GuardParams(better="higher", tolerance=0.02, evidence="interval")}}
            ),
            "the possible loss",
        ),
        (Scores.of_sets("test-1", "patients", N, {"cpm": np.full(201, 0.9)}), GATE, "sensitivity cannot be judged"),
        (scores(cpm=np.nan), GATE, "cpm of the challenger is not a number"),
        (Scores.of_sets("test-1", "patients", N, {"dice": np.full(9, 0.9)}), GATE, "cpm of the challenger is missing"),
        (Scores("test-1", "patients", N, problem="Its file is damaged."), GATE, "could not be scored: Its file"),
    ],
)
def test_these_keep_the_champion(challenger, gate, said):
    decision = judge(scores(spread=0.0), challenger, gate)
    assert decision.outcome == "keep"
    assert said in decision.reason


def test_a_challenger_that_lost_what_the_champion_has_is_refused():
    decision = judge(scores(dice=0.8), scores(cpm=0.6))
    assert decision.outcome == "keep"
    assert "dice cannot be judged: it is not known of the challenger" in decision.reason


def test_a_challenger_that_learnt_something_new_is_not_held_back_by_it():
    assert judge(scores(), scores(cpm=0.6, dice=0.8)).outcome == "promote"


@pytest.mark.parametrize(
    ("champion", "challenger", "said"),
    [
        (scores(), replace(scores(cpm=0.9), n_units=0), "There are no patients of test"),
        (scores(), replace(scores(cpm=0.9), n_units=9), "has 9 patients, at least 10"),
        (None, replace(scores(cpm=0.9), n_units=1), "has 1 patients"),
        (scores(), replace(scores(cpm=0.9), test="test-2"), "different test data (test-1 and test-2)"),
        (Scores("test-1", "patients", N, problem="Another spacing."), scores(cpm=0.9), "version 1, could not be"),
        (replace(scores(), version="7"), scores(cpm=0.9), "champion is version 1, but version 7 was scored"),
        (scores(cpm=np.nan), scores(cpm=0.9), "cpm of the champion is not a number"),
        (
            replace(scores(), drawn={"cpm": np.full(9, np.nan)}),
            replace(scores(cpm=0.9), drawn={"cpm": np.full(9, np.nan)}),
            "cpm has no interval",
        ),
    ],
)
def test_what_cannot_be_compared_is_left_undecided(champion, challenger, said):
    decision = judge(champion, challenger)
    assert decision.outcome == "undecided"
    assert said in decision.reason


@pytest.mark.parametrize("rule", [HeadlineParams, GuardParams])
def test_no_direction_is_taken_for_granted(rule):
    """A Fréchet distance of which more were better would promote the worse generator."""
    with pytest.raises(ValidationError, match="better"):
        rule.model_validate({"metric": "FCD_Test"} if rule is HeadlineParams else {"tolerance": 0.1})


def test_the_first_model_becomes_champion():
    decision = decide(None, scores(), GATE, challenger_version="1")
    assert decision.outcome == "promote"
    assert "There is no champion yet; version 1 has cpm 0.5 on 30 patients" in decision.reason


@pytest.mark.parametrize(
    ("headline", "guards", "said"),
    [
        (HeadlineParams(metric="cpm", better="higher", floor=0.6), {}, "cpm is 0.5, at least 0.6 is asked"),
        (HeadlineParams(metric="cpm", better="lower", floor=0.4), {}, "at most 0.4"),
        (
            HeadlineParams(metric="cpm", better="higher"),
            {"dice": GuardParams(better="higher", floor=0.5)},
            "dice is nan, at least 0.5",
        ),
        (
            HeadlineParams(metric="fcd", better="higher"),
            {},
            "fcd of the challenger is missing; measured were: cpm, sensitivity",
        ),
    ],
)
def test_a_first_model_below_a_floor_is_refused(headline, guards, said):
    decision = decide(None, scores(), GateParams(headline=headline, guards=guards), challenger_version="1")
    assert decision.outcome == "keep"
    assert said in decision.reason


@pytest.mark.parametrize(
    ("champion", "challenger", "versions", "said"),
    [
        (scores(), None, ("1", None), "version 1 stays champion"),
        (None, None, (None, None), "no champion either"),
        (scores(), scores(cpm=0.9), ("2", "2"), "the same version, 2"),
    ],
)
def test_without_a_contest_nothing_happens(champion, challenger, versions, said):
    decision = decide(champion, challenger, GATE, champion_version=versions[0], challenger_version=versions[1])
    assert decision.outcome == "nothing"
    assert said in decision.reason


def test_intervals_of_independent_samples_decide_too():
    gate = GateParams(headline=HeadlineParams(metric="FCD", better="lower"))
    champion = Scores("t", "molecules", 1000, {"FCD": 1.0}, intervals={"FCD": (0.95, 1.05)})
    better, alike = (
        Scores("t", "molecules", 1000, {"FCD": value}, intervals={"FCD": (value - 0.05, value + 0.05)})
        for value in (0.8, 0.95)
    )
    assert judge(champion, better, gate).outcome == "promote"
    assert judge(champion, alike, gate).outcome == "keep"


def test_the_record_is_json_and_says_everything(tmp_path):
    decision = judge(scores(extra=0.1), scores(cpm=0.6, sensitivity=0.6, extra=0.2))
    write_json(tmp_path / "decision.json", decision.record())  # refuses NaN
    record = decision.record()
    assert [(row["metric"], row["role"], row["verdict"]) for row in record["metrics"]] == [
        ("cpm", "headline", "better"),
        ("sensitivity", "guard", "broken"),
        ("dice", "guard", "does not apply"),
        ("extra", "other", ""),
    ]
    assert [row["metric"] for row in decision.evidence()["metrics"]] == ["cpm", "sensitivity", "dice"]
    assert decision.metrics()["cpm_difference"] == pytest.approx(0.1)
    assert decision.metrics()["promoted"] == 0.0
    assert decision.table()["difference"].isna().tolist() == [False, False, True, False]
