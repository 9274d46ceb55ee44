"""The rule: a challenger wins by the headline metric, and only if no guard is worse than its tolerance."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from medpipe.promotion.decision import Decision, Finding, Verdict
from medpipe.promotion.differences import Difference, difference
from medpipe.promotion.params import Direction, GateParams, GuardParams, HeadlineParams
from medpipe.promotion.scores import Scores

_ROUNDING = 1e-12
"""A loss that is the tolerance but for rounding is within it."""

_logger = logging.getLogger(__name__)


def decide(
    champion: Scores | None,
    challenger: Scores | None,
    params: GateParams,
    *,
    champion_version: str | None = None,
    challenger_version: str | None = None,
) -> Decision:
    """Decides what becomes of a challenger.

    It never raises for what the scores hold: whatever keeps two models from being compared is a reason, and never one
    to promote.

    Args:
        champion: Its scores; None if there is no champion yet.
        challenger: Its scores; None if there is no challenger.
        params: Of the gate.
        champion_version: For the reason.
        challenger_version: For the reason.

    Returns:
        The decision; it is logged, too.
    """
    decision = _decide(champion, challenger, params, champion_version, challenger_version)
    _logger.info("Promotion gate: %s. %s", decision.outcome, decision.reason)
    return decision


def _decide(
    champion: Scores | None,
    challenger: Scores | None,
    params: GateParams,
    old: str | None,
    new: str | None,
) -> Decision:
    if challenger is None or new is None:
        stays = "there is no champion either" if old is None else f"version {old} stays champion"
        return Decision("nothing", f"There is no challenger; {stays}.", old, None)
    if new == old:
        return Decision("nothing", f"Champion and challenger are the same version, {new}.", old, new)
    about = Decision(
        "undecided", "", old, new, (), challenger.test, challenger.unit, challenger.n_units, params.confidence
    )
    if (
        obstacle := _mistaken(champion, challenger, old, new) or _obstacle(champion, challenger, params, old)
    ) is not None:
        return about.because("undecided", obstacle)
    if challenger.problem:
        return about.because("keep", f"Version {new} could not be scored: {challenger.problem}")
    if champion is None:
        return _first(about, challenger, params)
    return _contest(about, champion, challenger, params)


def _mistaken(champion: Scores | None, challenger: Scores, old: str | None, new: str) -> str | None:
    """Scores of other versions than those that are to be compared."""
    for role, scores, version in (("champion", champion, old), ("challenger", challenger, new)):
        if scores is not None and scores.version not in (None, version):
            return f"The {role} is version {version}, but version {scores.version} was scored; score it again."
    return None


def _obstacle(champion: Scores | None, challenger: Scores, params: GateParams, old: str | None) -> str | None:
    """Why no challenger could be judged today, however good."""
    unit = challenger.unit
    if challenger.n_units == 0:
        return f"There are no {unit} of test: nothing can be measured."
    if challenger.n_units < params.min_units:
        return (
            f"The test has {challenger.n_units} {unit}, at least {params.min_units} are needed (min_units): chance "
            "would decide."
        )
    if champion is None:
        return None
    if champion.test != challenger.test:
        return (
            f"Champion and challenger were scored on different test data ({champion.test[:8]} and "
            f"{challenger.test[:8]}), which are never compared; score both again."
        )
    if champion.problem:
        return (
            f"The champion, version {old}, could not be scored on today's test data: {champion.problem} Decide by hand "
            "(medpipe models promote)."
        )
    return None


def _first(about: Decision, challenger: Scores, params: GateParams) -> Decision:
    """Without a champion: a model that can be measured, and reaches the floors."""
    headline = params.headline
    value = challenger.values.get(headline.metric, np.nan)
    if not np.isfinite(value):
        return about.because("keep", _lacking("challenger", headline.metric, challenger))
    rules: dict[str, tuple[Direction, float | None]] = {headline.metric: (headline.better, headline.floor)}
    rules |= {name: (guard.better, guard.floor) for name, guard in params.guards.items()}
    for name, (better, floor) in rules.items():
        found = challenger.values.get(name, np.nan)
        if floor is not None and not _reaches(found, floor, better):
            most = "at least" if better == "higher" else "at most"
            return about.because(
                "keep", f"{name} is {found:.4g}, {most} {floor:g} is asked of a first champion (floor)."
            )
    return about.because(
        "promote",
        f"There is no champion yet; version {about.challenger} has {headline.metric} {value:.4g} on "
        f"{challenger.n_units} {challenger.unit}.",
    )


def _reaches(value: float, floor: float, better: Direction) -> bool:
    """False for what is not a number."""
    return value >= floor if better == "higher" else value <= floor


def _contest(about: Decision, champion: Scores, challenger: Scores, params: GateParams) -> Decision:
    headline = params.headline
    if not np.isfinite(challenger.values.get(headline.metric, np.nan)):
        return about.because("keep", _lacking("challenger", headline.metric, challenger))
    found = difference(headline.metric, headline.better, champion, challenger, params.confidence)
    if found is None:
        return about.because("undecided", _lacking("champion", headline.metric, champion))
    judged = _judge_headline(found, headline, params.confidence)
    guards = [_judge_guard(name, guard, champion, challenger, params) for name, guard in params.guards.items()]
    others = _others(champion, challenger, params)
    decision = replace(about, findings=(judged, *guards, *others))
    where = f"on {challenger.n_units} {challenger.unit}"
    broken = [guard.reason for guard in guards if guard.verdict == "broken"]
    if judged.verdict == "":
        return decision.because("undecided", f"{headline.metric} has no interval {where}: nothing can be said.")
    if judged.verdict == "better" and not broken:
        held = "no guard is worse than its tolerance" if guards else "no guard is set"
        return decision.because(
            "promote", f"Version {about.challenger} replaces version {about.champion}: {judged.reason} {where}; {held}."
        )
    if judged.verdict == "better":
        return decision.because(
            "keep", f"Version {about.champion} stays champion, although {judged.reason} {where}: {'; '.join(broken)}."
        )
    return decision.because(
        "keep", f"Version {about.champion} stays champion: {'; '.join([f'{judged.reason} {where}', *broken])}."
    )


def _lacking(role: str, metric: str, scores: Scores) -> str:
    there = ", ".join(sorted(scores.values)) or "none"
    state = "is not a number" if metric in scores.values else "is missing"
    return f"The headline metric {metric} of the {role} {state}; measured were: {there}."


def _judge_headline(found: Difference, params: HeadlineParams, confidence: float) -> Finding:
    low, high = found.gain_interval
    verdict: Verdict
    if not np.isfinite([low, high]).all():
        verdict, said = "", "there is no interval"
    elif low > params.min_gain:
        verdict, said = "better", f"a gain of {_with_interval(found, confidence)}"
    elif high < 0:
        verdict, said = "worse", f"a loss of {_with_interval(found, confidence, lost=True)}"
    elif low > 0:
        verdict = "unclear"
        said = f"a gain of {_with_interval(found, confidence)}, which is not clearly more than {params.min_gain:g}"
    else:
        verdict, said = "unclear", f"a tie, with a gain of {_with_interval(found, confidence)}"
    reason = f"{found.metric} is {found.challenger:.4g} against {found.champion:.4g}, {said}"
    return Finding(found.metric, "headline", verdict, found, params.min_gain, reason)


def _judge_guard(name: str, guard: GuardParams, champion: Scores, challenger: Scores, params: GateParams) -> Finding:
    found = difference(name, guard.better, champion, challenger, params.confidence)
    if found is None:
        verdict, reason = _judge_missing(name, guard, champion, challenger)
        return Finding(name, "guard", verdict, None, guard.tolerance, reason)
    loss = -found.gain if guard.evidence == "estimate" else -found.gain_interval[0]
    known = bool(np.isfinite(loss))
    verdict = "held" if known and loss <= guard.tolerance + _ROUNDING else "broken"
    what = "loss" if guard.evidence == "estimate" else "possible loss"
    shown = f"{what} {max(loss, 0):.4g}" if known else "loss has no interval"
    state = "within" if verdict == "held" else "beyond"
    reason = (
        f"{name} is {found.challenger:.4g} against {found.champion:.4g}: the {shown} is {state} the tolerance "
        f"{guard.tolerance:g}"
    )
    return Finding(name, "guard", verdict, found, guard.tolerance, reason)


def _judge_missing(name: str, guard: GuardParams, champion: Scores, challenger: Scores) -> tuple[Verdict, str]:
    """A guard that one of them, or both, cannot be judged by."""
    lacks = [
        role
        for role, scores in (("champion", champion), ("challenger", challenger))
        if not np.isfinite(scores.values.get(name, np.nan))
    ]
    if guard.optional and "champion" in lacks:
        return "does not apply", f"{name} is not known of the {' and the '.join(lacks)}"
    return "broken", f"the guard {name} cannot be judged: it is not known of the {' and the '.join(lacks)}"


def _others(champion: Scores, challenger: Scores, params: GateParams) -> Iterator[Finding]:
    """The metrics without a say that both have; which direction is better is not known, so there is no verdict."""
    named = {params.headline.metric, *params.guards}
    for name in champion.values:
        if name not in named and name in challenger.values:
            found = difference(name, "higher", champion, challenger, params.confidence)
            if found is not None:
                yield Finding(name, "other", "", found)


def _with_interval(found: Difference, confidence: float, lost: bool = False) -> str:
    low, high = found.gain_interval
    value = -found.gain if lost else found.gain
    low, high = (-high, -low) if lost else (low, high)
    return f"{value:.4g} ({confidence:.0%} interval {low:.4g} to {high:.4g})"
