"""Progress of long steps: a bar with the time left on a terminal, a log line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, Self, TypeVar

LOG_INTERVAL_S = 15.0

T = TypeVar("T")
_logger = logging.getLogger(__name__)

Listener = Callable[[str, int, float], None]
"""Is told of each step that came to its end: what it is called, how many things were done, and in how many seconds."""

LISTENERS: list[Listener] = []
"""Those who want to know how fast steps are, in the process in which the steps are."""


class Progress:
    """Shows how far a long step is.

    Use it as a context manager and call ``advance`` whenever something is done.

    Args:
        description: What the user reads beside the bar.
        total: How much there is to do, where that is known.
    """

    def __init__(self, description: str, total: int | None = None) -> None:
        self._description = description
        self._total = total
        self._done = self._before = 0
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._start = self._last_line = time.monotonic()
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self._description, total=self._total, note="")
        return self

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Counts ``amount`` more as done; ``note`` (a loss, a rate) is shown beside."""
        self._done += amount
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, advance=amount, note=note)
        elif now - self._last_line >= LOG_INTERVAL_S:
            self._last_line = now
            _logger.info("%s: %d%s %s", self._description, self._done, self._left(now), note)

    def skip(self, amount: int) -> None:
        """Counts as done what an earlier run did; it took none of this one's time."""
        self._before += amount
        self.advance(amount)

    def rate(self, more: int = 0) -> str:
        """What is done in a second, ``more`` counted as done."""
        return f"{(self._done - self._before + more) / max(time.monotonic() - self._start, 1e-3):,.0f}/s"

    def _left(self, now: float) -> str:
        done = self._done - self._before
        if not self._total or not done:
            return ""
        seconds = (now - self._start) / done * (self._total - self._done)
        return f" of {self._total}, {seconds:.0f} s left"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif error is None:
            _logger.info("%s: %d in %.1f s", self._description, self._done, time.monotonic() - self._start)
        if error is None:
            seconds = time.monotonic() - self._start
            for listener in tuple(LISTENERS):  # a node that runs beside may end and take its own away
                listener(self._description, self._done - self._before, seconds)


def _bar() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


def track(
    iterable: Iterable[T], description: str, total: int | None = None, size: Callable[[T], int] | None = None
) -> Iterator[T]:
    """Passes on the items of ``iterable`` and shows how far it is.

    Args:
        iterable: What is worked through.
        description: What the user reads beside the bar.
        total: Number of items, where ``iterable`` has no length.
        size: How many things an item holds, where things are counted, not items: ``total`` is their number, and how
            many are done a second is shown.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with Progress(description, total) as progress:
        for item in iterable:
            yield item
            if size is None:
                progress.advance()
            else:
                progress.advance(size(item), progress.rate(size(item)))
