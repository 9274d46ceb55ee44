"""What a piece of work takes: time, processor, memory and GPU, of this process and all that it started."""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from medpipe.core import progress
from medpipe.core.gpu import BYTES_A_GIBIBYTE, read_gpus

Point = tuple[int, str, float]
"""Whole seconds since the beginning, name, value."""

FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 2.0
"""Between two looks, at the beginning and later: short work is seen, long work hardly disturbed."""

PAUSE_BY_ELAPSED = 0.02
"""The pause grows by this share of the time that the work has taken so far."""

FREE_S, MAX_SHARE = 0.05, 0.004
"""Processor seconds, and besides share of a core, that the looks may take; where they are costly, there are fewer."""

FIRST_POINT_S = 10.0
"""Distance of the points of the course; shorter work has none."""

POINT_BY_ELAPSED = 1 / 200
"""Later the distance grows with the time so far: an hour has some 320 points, a day 960, a week 1350."""

TELL_EVERY_S = 30.0
"""How often new points are handed over, so that long work can be watched."""

_logger = logging.getLogger(__name__)
_HEIGHT = re.compile(r"VmHWM:\s+(\d+) kB")  # unlike getrusage's maximum it begins anew with a program
KIBIBYTES_A_GIBIBYTE = 1 << 20


@dataclass(frozen=True)
class Usage:
    """What a piece of work took.

    Attributes:
        wall_s: By the clock.
        cpu_s: Processor time of all its processes.
        peak_memory_gib: Highest resident memory of all its processes, what they share counted once.
        gpu_peak_memory_gib: Highest memory in use on the GPUs, by whomever; None without a GPU.
        gpu_use_percent: Mean over time and GPUs; None where it is not known.
        items_per_s: Of the step that took longest, in what its progress counts; None where none was shown.
    """

    wall_s: float
    cpu_s: float
    peak_memory_gib: float
    gpu_peak_memory_gib: float | None
    gpu_use_percent: float | None
    items_per_s: float | None


@dataclass(frozen=True)
class Measured:
    """What a piece of work took that is over.

    Attributes:
        usage: On the whole.
        points: The course, where it was long.
    """

    usage: Usage
    points: list[Point]


ELSEWHERE: dict[str, Measured | None] = {}
"""Nodes that run in a process which this one did not start, such as a worker of Ray, and are measured there; what each
took, as soon as it is known."""

_done_by_others_s = 0.0


def add_cpu_of_others(seconds: float) -> None:
    """Counts processor time of a process that this one did not start, but which worked for it."""
    global _done_by_others_s
    _done_by_others_s += seconds


def cpu_of_this_process() -> float:
    """Processor seconds so far of this process and of those children for whose end it has waited, in ticks of 10 ms."""
    return sum(os.times()[:4])


@dataclass
class _Seen:
    """What was seen in a stretch of time."""

    memory_gib: float = 0.0
    gpu_memory_gib: float | None = None
    gpu_percent_s: float = 0.0
    gpu_s: float = 0.0

    def add(self, memory_gib: float, gpu_memory_gib: float | None, gpu_percent: float | None, seconds: float) -> None:
        self.memory_gib = max(self.memory_gib, memory_gib)
        if gpu_memory_gib is not None:
            self.gpu_memory_gib = max(self.gpu_memory_gib or 0.0, gpu_memory_gib)
        if gpu_percent is not None:
            self.gpu_percent_s += gpu_percent * seconds
            self.gpu_s += seconds

    @property
    def gpu_percent(self) -> float | None:
        return self.gpu_percent_s / self.gpu_s if self.gpu_s else None


class Meter:
    """Looks now and then, in a thread of its own, at what the work between ``start`` and ``stop`` takes.

    Workers that live on between two pieces of work count for what they do within each. Of what others do for this
    process (`add_cpu_of_others`) the processor time counts.

    Args:
        tell: Is given the course of long work while it lasts, from the meter's thread: ``memory_gib``, ``cpu_cores``
            (processor seconds a second), ``gpu_memory_gib``, ``gpu_use_percent``.
    """

    def __init__(self, tell: Callable[[list[Point]], None]) -> None:
        self._tell = tell
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="usage", daemon=True)
        self._process = psutil.Process()
        self._whole, self._since_point = _Seen(), _Seen()
        self._points: list[Point] = []
        self._steps: list[tuple[float, float]] = []  # seconds, items a second

    def start(self) -> None:
        """The work begins."""
        progress.LISTENERS.append(self._on_step)
        self._began = self._looked = self._pointed = self._told = time.monotonic()
        self._height_gib = _height_gib()
        self._cpu_s, memory_gib = self._look_at_processes()
        self._cpu_began = self._cpu_at_point = self._cpu_s
        self._see(memory_gib)
        self._thread.start()

    def stop(self) -> Usage:
        """The work is done."""
        self._stopped.set()
        self._thread.join()
        progress.LISTENERS.remove(self._on_step)
        self._look()
        wall_s = self._looked - self._began
        if self._points:
            self._tell(self._points)
        peak = self._whole.memory_gib
        if (height := _height_gib()) > self._height_gib:  # it may lie between two looks
            peak = max(peak, height)
        cpu_s = max(0.0, self._cpu_s - self._cpu_began)
        rate = max(self._steps)[1] if self._steps else None
        return Usage(wall_s, cpu_s, peak, self._whole.gpu_memory_gib, self._whole.gpu_percent, rate)

    def _on_step(self, description: str, done: int, seconds: float) -> None:
        if done and seconds:
            self._steps.append((seconds, done / seconds))

    def _watch(self) -> None:
        while not self._stopped.wait(self._pause()):
            self._look()
            self._hand_over()

    def _pause(self) -> float:
        """Seconds to the next look; ``time.thread_time`` counts what this thread has taken so far."""
        elapsed = self._looked - self._began
        paid_for_s = (time.thread_time() - FREE_S) / MAX_SHARE
        return max(min(FIRST_PAUSE_S + PAUSE_BY_ELAPSED * elapsed, LAST_PAUSE_S), paid_for_s - elapsed)

    def _look(self) -> None:
        self._cpu_s, memory_gib = self._look_at_processes()
        self._see(memory_gib)
        elapsed = self._looked - self._began
        if self._looked - self._pointed >= max(FIRST_POINT_S, POINT_BY_ELAPSED * elapsed):
            self._add_points(int(elapsed))

    def _hand_over(self) -> None:
        """What cannot be told now, because a server does not answer, is kept for later."""
        if self._points and self._looked - self._told >= TELL_EVERY_S:
            self._told = self._looked
            try:
                self._tell(self._points)
            except Exception as error:
                _logger.warning("The use of resources could not be recorded (%s)", type(error).__name__)
            else:
                self._points = []

    def _see(self, memory_gib: float) -> None:
        gpus = read_gpus()
        gpu_memory = sum(gpu.memory_gib for gpu in gpus) if gpus else None
        uses = [gpu.use_percent for gpu in gpus if gpu.use_percent is not None]
        now = time.monotonic()
        for seen in (self._whole, self._since_point):
            seen.add(memory_gib, gpu_memory, sum(uses) / len(uses) if uses else None, now - self._looked)
        self._looked = now

    def _add_points(self, step: int) -> None:
        seen = self._since_point
        cores = (self._cpu_s - self._cpu_at_point) / (self._looked - self._pointed)
        values = {
            "memory_gib": seen.memory_gib,
            "cpu_cores": max(0.0, cores),
            "gpu_memory_gib": seen.gpu_memory_gib,
            "gpu_use_percent": seen.gpu_percent,
        }
        self._points += [(step, name, value) for name, value in values.items() if value is not None]
        self._pointed, self._cpu_at_point, self._since_point = self._looked, self._cpu_s, _Seen()

    def _look_at_processes(self) -> tuple[float, float]:
        """Processor seconds so far, also of others, and resident GiB of this process, its children and theirs.

        A child's time moves to its parent when that has waited for its end, so the sum only grows.
        """
        cpu_s, resident = _cpu_s(self._process) + _done_by_others_s, _resident(self._process)
        for child in self._process.children(recursive=True):
            with suppress(psutil.Error):  # it may be gone by now
                cpu_s += _cpu_s(child)
                resident += _resident(child)
        return cpu_s, resident / BYTES_A_GIBIBYTE


def _cpu_s(process: psutil.Process) -> float:
    """Processor time of a process and of those children for whose end it has waited."""
    times = process.cpu_times()
    return float(times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0))


def _resident(process: psutil.Process) -> int:
    """Resident bytes; a page that several processes share counts for each by its part (Linux: PSS)."""
    try:
        memory = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(memory, "pss", memory.uss))


def _height_gib() -> float:
    """Highest resident memory of this process so far, from the kernel (proc(5)); 0 where it does not tell."""
    try:
        height = _HEIGHT.search(Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        return 0.0
    return int(height[1]) / KIBIBYTES_A_GIBIBYTE if height else 0.0
