"""The scheduler: what is due runs, one job at a time, and what was missed is written down."""

import logging
import os
import socket
import sqlite3
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from medpipe.core.errors import InputError
from medpipe.schedule import state
from medpipe.schedule.execution import Executor, Result
from medpipe.schedule.jobs import Job, load_jobs
from medpipe.schedule.locks import FileLock
from medpipe.schedule.state import Run

POLL_S = 0.5
"""Seconds between two looks at clock and configuration; a due time is met more exactly."""

FAULT_PAUSE_S = 30.0
"""Seconds until it goes on after a fault of the host's, such as a full disk."""

BUSY = 75
"""Exit status where another job runs: EX_TEMPFAIL of sysexits.h."""

_FILES = ("*/schedules*", "*/schedules*/**/*")  # of `medpipe.schedule.jobs.PATTERNS`, in all environments

_logger = logging.getLogger(__name__)


class Scheduler:
    """Runs the jobs of ``schedules.yml`` when they are due, until it is stopped.

    Args:
        executor: Runs them.
        pipelines: Names that a job may use; None checks no names.
    """

    def __init__(self, executor: Executor, pipelines: Collection[str] | None = None) -> None:
        self._executor, self._pipelines = executor, pipelines
        self._state = executor.state
        self._lock = scheduler_lock(executor.project)
        self._jobs: dict[str, Job] = {}
        self._seen: object = None
        self._looked = 0.0

    def run(self, stop: Event) -> None:
        """Goes on until ``stop`` is set; a job that runs then is ended, and begins anew with the next scheduler.

        Raises:
            InputError: ``schedules.yml`` is wrong, or another scheduler looks after this project.
        """
        jobs = self._read()
        if not self._lock.acquire(f"process {os.getpid()} on {socket.gethostname()}"):
            raise InputError(f"a scheduler looks after this project already: {self._lock.holder()}")
        try:
            self._jobs = jobs
            _logger.info("%d jobs of schedules.yml", len(jobs))
            while not stop.is_set():
                try:
                    self._go_on(stop)
                except (OSError, sqlite3.Error) as error:
                    _logger.error("%s: %s; it goes on in %g s", type(error).__name__, error, FAULT_PAUSE_S)
                    stop.wait(FAULT_PAUSE_S)
        finally:
            self._lock.release()

    def _go_on(self, stop: Event) -> None:
        if self._executor.take(self._jobs):  # what was left by a kill or a fault does not wait for the next due time
            self._executor.release()
        while not stop.is_set():
            self._see_to_the_clock()
            if not self._run_next(stop):
                stop.wait(self._pause_s())

    def _read(self) -> dict[str, Job]:
        self._seen = _version(self._executor.project)
        return load_jobs(self._executor.project, self._executor.env, self._pipelines)

    def _run_next(self, stop: Event) -> bool:
        """Runs what waits and is due; False where nothing does, or another process runs a job."""
        if self._state.next_waiting(datetime.now(UTC)) is None or not self._executor.take(self._jobs):
            return False
        try:
            run = self._state.next_waiting(datetime.now(UTC))
            if run is not None:
                self._attempt(run, stop)
            return True
        finally:
            self._executor.release()

    def _attempt(self, run: Run, stop: Event) -> None:
        job = self._jobs.get(run.job)
        if job is None or not job.enabled:
            self._state.end(run, state.MISSED, "the job was taken out of schedules.yml, or switched off")
        else:
            self._executor.attempt(run.job, job, run, stop, meanwhile=self._meanwhile)

    def _meanwhile(self) -> None:
        """What is due while a job runs is written down, and waits; a fault in that is no fault of the job."""
        if time.monotonic() - self._looked < POLL_S:
            return
        try:
            self._see_to_the_clock()
        except (OSError, sqlite3.Error) as error:
            _logger.error("looking for due jobs: %s", error)

    def _see_to_the_clock(self) -> None:
        self._looked = time.monotonic()
        if _version(self._executor.project) != self._seen:
            try:
                self._jobs = self._read()
                _logger.info("schedules.yml has changed: %d jobs", len(self._jobs))
            except InputError as error:
                _logger.error("schedules.yml has changed and is wrong; the jobs from before go on\n%s", error)
        now = datetime.now(UTC)
        for name, job in self._jobs.items():
            if job.enabled:
                self._see_to(name, job, now)
            else:
                self._state.forget_cron(name)

    def _see_to(self, name: str, job: Job, now: datetime) -> None:
        since = self._state.due_since(name, job.cron, now)
        planned = job.schedule.last_between(since, now)
        if planned is None:
            return
        late = now - planned
        # The clock is looked at every POLL_S: what is no later than that was not missed, whatever the grace.
        if late <= timedelta(seconds=max(job.misfire_grace_s, 2 * POLL_S)):
            self._state.wait_for_turn(name, planned)
            return
        reason = f"noticed {_span(late)} late, the grace is {_span(timedelta(seconds=job.misfire_grace_s))}"
        self._state.miss(name, planned, reason)
        _logger.warning("%s: missed, %s", name, reason)

    def _pause_s(self) -> float:
        """Until the next due time, but no longer than `POLL_S`."""
        now = datetime.now(UTC)
        due = [job.schedule.next_after(now) for job in self._jobs.values() if job.enabled]
        waits = [(moment - now).total_seconds() for moment in due if moment is not None]
        return min([POLL_S, *waits])


def scheduler_lock(project: Path) -> FileLock:
    """The lock that a project's scheduler holds."""
    return FileLock(project / state.STATE_FOLDER / "scheduler.lock")


def run_once(
    executor: Executor, jobs: Mapping[str, Job], name: str, stop: Event, *, force: bool = False, wait: bool = True
) -> Result:
    """Runs a job now, with its retries, in this process.

    Args:
        executor: Runs it.
        jobs: All jobs.
        name: Of the job to run.
        stop: Set to end it.
        force: Whether it runs though nothing is new.
        wait: Whether it waits while another job runs; else it is not run.
    """
    said = False
    while not executor.take(jobs):
        if not wait or stop.is_set():
            return Result(state.SKIPPED, f"another job runs: {executor.holder()}", BUSY)
        if not said:
            _logger.info("%s: waiting until another job is over: %s", name, executor.holder())
            said = True
        stop.wait(POLL_S)
    try:
        attempt = 1
        while True:
            result = executor.attempt(name, jobs[name], executor.state.add(name, attempt), stop, force=force)
            wait_s = jobs[name].retries.wait_s(attempt)
            if result.outcome not in (state.FAILED, state.TIMEOUT) or wait_s is None:
                return result
            _logger.info("%s: attempt %d in %g s", name, attempt + 1, wait_s)
            if stop.wait(wait_s):
                return result
            attempt += 1
    finally:
        executor.release()


def _version(project: Path) -> object:
    """Names and times of all files that jobs are read from."""
    found = []
    for file in sorted(file for pattern in _FILES for file in (project / "conf").glob(pattern)):
        with suppress(FileNotFoundError):  # an editor may just be replacing it
            found.append((file, file.stat().st_mtime_ns))
    return found


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{span}"
