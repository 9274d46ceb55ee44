"""The challenger of a model and the champion that it meets, or met last."""

import logging
from dataclasses import dataclass

from medpipe.core.errors import InputError
from medpipe.promotion.decision import Decision, Outcome
from medpipe.registry.events import Event, Kind
from medpipe.registry.registry import Registry
from medpipe.registry.store import CHALLENGER
from medpipe.registry.version import Version

_OUTCOMES: dict[Kind, Outcome] = {"promoted": "promote", "refused": "keep"}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contest:
    """Who meets whom.

    It stays the same pair after it was settled, until there is a new challenger or somebody rolls back or promotes
    another version: so the gate has nothing to do again for what it did itself.

    Attributes:
        registry: Where they are registered.
        name: Of the model.
        champion: None if there is, or was, no champion yet.
        challenger: None if there is none on which nothing is decided and the last decision was about others.
        settled: How it ended; None while it is open.
    """

    registry: Registry
    name: str
    champion: Version | None
    challenger: Version | None
    settled: Event | None = None

    def settle(self, decision: Decision) -> Decision:
        """Promotes or refuses the challenger, once.

        Args:
            decision: About this pair.

        Returns:
            The decision that holds: of a contest that was settled before, that one, with what the rule says today; and
            ``undecided`` where somebody else changed the champion meanwhile.
        """
        if self.challenger is None or decision.outcome == "nothing":
            return decision
        if self.settled is not None:
            held = _decided_before(self.settled, decision)
            if CHALLENGER in self.challenger.aliases:  # a kill came between the promotion and what explains it
                self.registry.promote(self.name, self.challenger.version, self.settled.reason, held.evidence())
            return held
        if decision.outcome == "undecided":
            return decision
        now = self.registry.champion(self.name)
        before = None if self.champion is None else self.champion.version
        if before != (None if now is None else now.version):
            return self._overtaken(decision, f"the champion is {'none' if now is None else now.version} now")
        act = self.registry.promote if decision.outcome == "promote" else self.registry.refuse
        also = {"compared_with": before} if decision.outcome == "promote" else {}
        try:
            act(self.name, self.challenger.version, decision.reason, decision.evidence(), **also)
        except InputError as error:  # somebody was quicker, between the line above and this one
            return self._overtaken(decision, str(error))
        return decision

    def _overtaken(self, decision: Decision, how: str) -> Decision:
        reason = f"The registry changed while the two were compared: {how}. Nothing was changed; run the gate again."
        _logger.warning("%s: %s", self.name, reason)
        return decision.because("undecided", reason)


def find_contest(registry: Registry, name: str) -> Contest:
    """The open contest of a model, or the last one while its outcome holds.

    Args:
        registry: Where the model is registered.
        name: Of the model; an unknown one has neither champion nor challenger.
    """
    champion, challenger = registry.champion(name), registry.challenger(name)
    if challenger is not None:
        return Contest(registry, name, champion, challenger)
    last = registry.events(name)[-1:] if registry.versions(name) else []
    for event in last:
        if event.kind in _OUTCOMES and event.version != event.before and _holds(event, champion):
            try:
                before = None if event.before is None else registry.get(name, event.before)
                return Contest(registry, name, before, registry.get(name, event.version), event)
            except InputError:  # one of the two was deleted since
                break
    return Contest(registry, name, champion, None)


def _holds(event: Event, champion: Version | None) -> bool:
    """Whether the champion is the one that the event left."""
    left = event.version if event.kind == "promoted" else event.before
    return left == (None if champion is None else champion.version)


def _decided_before(event: Event, decision: Decision) -> Decision:
    outcome, reason = _OUTCOMES[event.kind], event.reason
    if decision.outcome != outcome:
        reason += f" (Decided on {event.time}. Scored again since, the rule would say: {decision.reason})"
    return decision.because(outcome, reason)
