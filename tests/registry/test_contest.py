"""Contests over a real store: who meets whom, and what a decision does there."""

from dataclasses import replace

import pytest

from medpipe.promotion.decision import Decision
from medpipe.registry.contest import find_contest


def decision(contest, outcome):
    old, new = (None if each is None else each.version for each in (contest.champion, contest.challenger))
    return Decision(outcome, f"{outcome} {new} against {old}.", old, new, test="t", n_units=12)


def pair(registry, name):
    found = find_contest(registry, name)
    return tuple(None if each is None else each.version for each in (found.champion, found.challenger))


def settle(registry, name, outcome):
    contest = find_contest(registry, name)
    return contest.settle(decision(contest, outcome))


def test_an_unknown_model_has_no_contest(registry):
    assert pair(registry, "unheard_of") == (None, None)


def test_the_first_is_promoted_with_its_evidence(fill):
    registry = fill("first", 1)
    assert settle(registry, "first", "promote").outcome == "promote"
    champion = registry.champion("first")
    assert champion.version == "1"
    assert '"n_units": 12' in champion.tags["decision.evidence"]


def test_a_settled_contest_stays_until_somebody_rolls_back(fill):
    registry = fill("settled", 1)
    settle(registry, "settled", "promote")
    assert pair(registry, "settled") == (None, "1")
    fill("settled", 1)  # version 2
    assert pair(registry, "settled") == ("1", "2")
    settle(registry, "settled", "promote")
    assert registry.champion("settled").version == "2"
    assert pair(registry, "settled") == ("1", "2")
    registry.rollback("settled", "worse in use")
    assert pair(registry, "settled") == ("1", None)


def test_a_refused_challenger_is_not_tried_again(fill):
    registry = fill("refused", 1)
    settle(registry, "refused", "promote")
    fill("refused", 1)
    settle(registry, "refused", "keep")
    assert registry.champion("refused").version == "1"
    assert pair(registry, "refused") == ("1", "2")
    again = settle(registry, "refused", "promote")
    assert again.outcome == "keep"
    assert "keep 2 against 1. (Decided on " in again.reason
    assert "the rule would say: promote 2 against 1." in again.reason
    assert registry.champion("refused").version == "1"


def test_settling_again_what_was_settled_gives_the_same_decision(fill):
    registry = fill("again", 1)
    first = settle(registry, "again", "promote")
    again = settle(registry, "again", "promote")
    assert (again.outcome, again.reason) == (first.outcome, first.reason)
    assert len(registry.events("again")) == 1


@pytest.mark.parametrize("outcome", ["undecided", "nothing"])
def test_without_a_decision_the_challenger_stays(fill, outcome):
    registry = fill(f"open_{outcome}", 1)
    assert settle(registry, f"open_{outcome}", outcome).outcome == outcome
    assert registry.challenger(f"open_{outcome}").version == "1"
    assert registry.champion(f"open_{outcome}") is None


@pytest.mark.parametrize("outcome", ["promote", "keep"])
def test_a_champion_that_changed_meanwhile_voids_the_decision(fill, outcome):
    name = f"overtaken_{outcome}"
    registry = fill(name, 2)
    registry.promote(name, "1", "by hand")
    contest = find_contest(registry, name)
    contest = replace(contest, champion=registry.get(name, "1"))
    fill(name, 3)
    registry.promote(name, "5", "by hand, meanwhile")
    done = contest.settle(decision(contest, outcome))
    assert done.outcome == "undecided"
    assert "the champion is 5 now" in done.reason
    assert registry.champion(name).version == "5"


def test_what_a_kill_left_of_a_promotion_is_done_by_the_next_gate(fill, monkeypatch):
    registry = fill("half_done", 1)
    monkeypatch.setattr(registry, "_explain", lambda *_: 1 / 0)  # a kill, after the alias moved
    with pytest.raises(ZeroDivisionError):
        settle(registry, "half_done", "promote")
    monkeypatch.undo()
    assert registry.champion("half_done").aliases == ("challenger", "champion")
    settle(registry, "half_done", "promote")
    champion = registry.champion("half_done")
    assert (champion.aliases, champion.tags["decision"]) == (("champion",), "promoted")
    assert champion.tags["decision.reason"] == "promote 1 against None."
    assert '"n_units": 12' in champion.tags["decision.evidence"]
    assert len(registry.events("half_done")) == 1
