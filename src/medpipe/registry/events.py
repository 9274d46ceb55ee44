"""The log of what was decided about the versions of a model, kept as tags of the registered model.

An event is written before the alias that it announces is moved, so a kill in between leaves an event that did not come
true: the alias alone says who is champion, and the history follows the events backwards from there.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

EVENT_TAG = "event."
MAX_REASON_LENGTH = 1000
"""With it an event stays below the 5,000 characters that MLflow's database has for a tag of a registered model."""
MAX_LINE_LENGTH = 100

Kind = Literal["promoted", "refused", "rolled back"]


@dataclass(frozen=True)
class Event:
    """A decision.

    Attributes:
        number: Rises by one with each event of the model; two made at the same moment may share one.
        kind: ``promoted`` and ``rolled back`` make ``version`` the champion.
        version: It is about.
        before: Champion at that moment.
        line: Champions that roll-backs go through after this event, nearest first.
        reason: Of the one who decided.
        time: ISO 8601, UTC.
    """

    number: int
    kind: Kind
    version: str
    before: str | None
    line: tuple[str, ...]
    reason: str
    time: str


@dataclass(frozen=True)
class Reign:
    """When a version was champion.

    Attributes:
        version: Champion.
        start: ISO 8601, UTC; None where nothing was recorded, as when the alias was set by hand.
        end: None for the champion of today.
        kind: How it came to be; None where nothing was recorded.
        reason: Why.
    """

    version: str
    start: str | None
    end: str | None
    kind: Kind | None
    reason: str


def new_event(
    events: Iterable[Event], kind: Kind, version: str, before: str | None, line: Iterable[str], reason: str
) -> tuple[str, str, Event]:
    """The next event.

    Returns:
        Key and value of its tag, and the event. The key is unique, so that no event overwrites another's.
    """
    number = max((event.number for event in events), default=0) + 1
    time = datetime.now(UTC).isoformat(timespec="seconds")
    line = tuple(line)[:MAX_LINE_LENGTH]
    event = Event(number, kind, version, before, line, reason[:MAX_REASON_LENGTH], time)
    return f"{EVENT_TAG}{number:06d}.{secrets.token_hex(4)}", json.dumps(asdict(event), ensure_ascii=False), event


def read_events(tags: Mapping[str, str]) -> list[Event]:
    """All events among a registered model's tags, oldest first."""
    found = [json.loads(value) for key, value in tags.items() if key.startswith(EVENT_TAG)]
    events = [replace(Event(**fields), line=tuple(fields["line"])) for fields in found]
    return sorted(events, key=lambda event: (event.number, event.time))


def crowning(events: Iterable[Event], version: str | None) -> Event | None:
    """The last event that made ``version`` the champion, if any."""
    return next((event for event in reversed(list(events)) if _crowns(event) and event.version == version), None)


def reigns(events: list[Event], champion: str | None) -> list[Reign]:
    """Who was champion when, newest first.

    Args:
        events: Oldest first.
        champion: To whom the alias points.
    """
    found: list[Reign] = []
    end: str | None = None
    while champion is not None:
        event = crowning(events, champion)
        if event is None:
            return [*found, Reign(champion, None, end, None, "nothing is recorded: the alias was set by hand")]
        found.append(Reign(champion, event.time, end, event.kind, event.reason))
        events = events[: events.index(event)]
        champion, end = event.before, event.time
    return found


def _crowns(event: Event) -> bool:
    return event.kind in ("promoted", "rolled back")
