"""Cron expressions as cron(8) reads them, computed by APScheduler.

Five fields (minute, hour, day of month, month, day of week) or six with seconds first, in the host's time zone. The
days of the week are 0 or 7 (Sunday) to 6, or sun to sat; APScheduler's own numbers begin with Monday, so they are
written out as names here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELD = re.compile(r"[0-9*,/-]+")
_MONTH = re.compile(r"[0-9a-z*,/-]+")
_ITEM = re.compile(r"(?:(\*)|([a-z]{3}|[0-7])(?:-([a-z]{3}|[0-7]))?)(?:/([1-7]))?")
_TICK, _SECOND, _WEEK = timedelta(microseconds=1), timedelta(seconds=1), timedelta(weeks=1)
_FIRST_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True)
class Cron:
    """When a job is due.

    Attributes:
        text: The expression.
        trigger: APScheduler's ``CronTrigger``.
    """

    text: str
    trigger: Any

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after a moment, in UTC; None where there is none, as for 30 February."""
        # In UTC: Python adds to times of the clock on the wall, which in autumn stand for two moments.
        start = moment.astimezone(UTC)
        found = self._ask(start + _TICK)
        # APScheduler takes the day of 23 hours for one of 24, and so passes over what is due in the first hour after
        # it: it is asked again from each change of the clock on.
        while found is not None and (change := self._change_between(start, found)) is not None:
            later = self._ask(change)
            found = found if later is None else min(found, later)
            start = change
        return found

    def _ask(self, moment: datetime) -> datetime | None:
        """The first due time that is not before a moment, in UTC."""
        found: datetime | None = self.trigger.get_next_fire_time(None, moment)
        return None if found is None else found.astimezone(UTC)

    def _change_between(self, start: datetime, end: datetime) -> datetime | None:
        """When the clock on the wall is first set forward or back after one moment and before another, in UTC."""
        before = self._offset(start)
        while start < end and self._offset(min(start + _WEEK, end)) == before:
            start += _WEEK
        if start >= end:
            return None
        end = min(start + _WEEK, end)
        while end - start > _SECOND:
            middle = start + (end - start) / 2
            start, end = (middle, end) if self._offset(middle) == before else (start, middle)
        return end.replace(microsecond=0)

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.trigger.timezone).utcoffset()

    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        """The last due time after one moment and not after another; None where there is none.

        It looks back in windows that double, so that a cron of seconds after a month of sleep costs no more than a
        weekly one.
        """
        window, found = _FIRST_WINDOW, None
        while found is None:
            start = max(after, until - window)
            following = self.next_after(start)
            while following is not None and following <= until:
                found, following = following, self.next_after(following)
            if start == after:
                break
            window *= 2
        return found


def parse_cron(text: str) -> Cron:
    """Reads a cron expression.

    Raises:
        ValueError: It is none, or one that other readers of cron take differently.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = text.lower().split()
    if len(fields) not in (5, 6):
        raise ValueError(
            f"{text!r} has {len(fields)} fields; expected 5 (minute hour day month weekday) or 6 (seconds first)"
        )
    second, minute, hour, day, month, weekday = fields if len(fields) == 6 else ["0", *fields]
    for field in (second, minute, hour, day):
        if not _FIELD.fullmatch(field):
            raise ValueError(f"{text!r}: {field!r} is made of other signs than digits * , - /")
    if not _MONTH.fullmatch(month):
        raise ValueError(f"{text!r}: {month!r} is no month; expected 1 to 12, jan to dec, * , - /")
    if not day.startswith("*") and not weekday.startswith("*"):
        raise ValueError(
            f"{text!r} names days of the month and of the week; cron takes either, other schedulers both: set one to *"
        )
    try:
        trigger = CronTrigger(
            second=second, minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday)
        )
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error
    return Cron(text, trigger)


def _weekdays(field: str) -> str:
    """Days of the week by name: ``1-5`` and ``mon-fri`` both become ``mon,tue,wed,thu,fri``."""
    if field == "*":
        return "*"
    days: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is no day of the week; expected 0 to 7 or sun to sat, ranges by -, steps by /")
        star, first, last, step = match.groups()
        low = 0 if star else _weekday(first)
        high = 6 if star else _weekday(last or first)
        if last == "7":
            high = 7  # 5-7 ends with Sunday
        if high < low:
            raise ValueError(f"{item!r} ends before it begins; the week begins with Sunday")
        days |= {day % 7 for day in range(low, high + 1, int(step or 1))}
    return ",".join(_WEEKDAYS[day] for day in sorted(days))


def _weekday(text: str) -> int:
    if text.isdigit():
        return int(text) % 7
    if text not in _WEEKDAYS:
        raise ValueError(f"{text!r} is no day of the week; expected 0 to 7 or sun to sat")
    return _WEEKDAYS.index(text)
