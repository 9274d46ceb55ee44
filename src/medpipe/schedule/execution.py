"""One attempt at a job: look at the data, run its pipelines one after the other, write down what became of it."""

import logging
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import IO

from medpipe.schedule import processes, state
from medpipe.schedule.jobs import Job
from medpipe.schedule.locks import FileLock
from medpipe.schedule.state import Run, State

LOGS_KEPT = 200
"""Log files of a job; older ones are removed."""

TIMED_OUT, INTERRUPTED = 124, 143
"""Exit statuses of what ran out of time, as timeout(1) gives it, and of what was stopped, as a shell tells SIGTERM."""

_ORPHAN_WAIT_S = 2.0
_LOG_COLUMNS = "160"  # rich folds its lines at 80 where there is no terminal

PipelineCommand = Callable[[Job, str, str | None], list[str]]
"""From a job, one of its pipelines and the scheduler's environment to a command."""

_logger = logging.getLogger(__name__)


def kedro_run(job: Job, pipeline: str, env: str | None) -> list[str]:
    """The command that runs a pipeline of a job."""
    return [sys.executable, "-m", "medpipe", "run", *job.run_options(pipeline, env)]


@dataclass(frozen=True)
class Result:
    """What became of an attempt.

    Attributes:
        outcome: See `medpipe.schedule.state`.
        reason: In a sentence.
        status: Exit status for a shell.
    """

    outcome: str
    reason: str
    status: int = 0


def _nothing() -> None:
    pass


class Executor:
    """Runs the jobs of a project, never two at once.

    Two locks: ``project.lock`` is held by who looks after a job, ``job.lock`` by the job's processes too. Where the
    first is free and the second is not, a scheduler was killed and its job goes on: without a timeout, and with nobody
    to learn how it ends. It is ended then, and tried again; its trainings go on from their last checkpoints.

    Args:
        project: Folder of the project.
        env: Kedro environment of jobs that name none.
        command: What runs a pipeline.
        termination_s: Seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        project: Path,
        env: str | None = None,
        command: PipelineCommand = kedro_run,
        termination_s: float = processes.TERMINATION_S,
    ) -> None:
        self.project, self.env, self.state = project, env, State(project)
        self._command, self._termination_s = command, termination_s
        self._project_lock = FileLock(self.state.folder / "project.lock")
        self._job_lock = FileLock(self.state.folder / "job.lock")

    def take(self, jobs: Mapping[str, Job]) -> bool:
        """Takes the project if nobody else runs a job, and sees to what a killed scheduler left.

        Args:
            jobs: Say whether a killed run is tried again.
        """
        if not self._project_lock.acquire(f"process {os.getpid()} on {socket.gethostname()}"):
            return False
        try:
            taken = self._see_to_what_was_left(jobs)
        except BaseException:
            self.release()
            raise
        if not taken:
            self.release()
        return taken

    def _see_to_what_was_left(self, jobs: Mapping[str, Job]) -> bool:
        left = self.state.running()
        for run in left:
            if count := processes.end_run(run.id, termination_s=self._termination_s):
                _logger.warning("%s: run %s outlived its scheduler; processes ended: %d", run.job, run.id, count)
        deadline = time.monotonic() + _ORPHAN_WAIT_S
        while not self._job_lock.acquire():
            if time.monotonic() > deadline:
                _logger.warning("a job still runs that cannot be ended from here; waiting for it")
                return False
            time.sleep(0.1)
        for run in left:
            reason = "its end was not written down: the scheduler was killed, the host went down, or its disk was full"
            self.state.end(run, state.KILLED, reason, again=self._again(run, state.KILLED, jobs.get(run.job)))
        return True

    def release(self) -> None:
        """Gives the project back."""
        self._job_lock.release()
        self._project_lock.release()

    def holder(self) -> str | None:
        """Who runs a job now, in words; None where nobody does."""
        return self._project_lock.holder()

    def attempt(
        self,
        name: str,
        job: Job,
        run: Run,
        stop: Event,
        *,
        force: bool = False,
        meanwhile: Callable[[], None] = _nothing,
    ) -> Result:
        """Makes an attempt. The project must have been taken.

        Args:
            name: Of the job.
            job: The job.
            run: Written down, and not begun.
            stop: Set to end it.
            force: Whether it runs though nothing is new.
            meanwhile: Called several times a second while it runs.
        """
        log = self._new_log(name, run)
        self.state.begin(run, log.relative_to(self.project).as_posix())
        _logger.info("%s: attempt %d begins, log %s", name, run.attempt, log.relative_to(self.project))
        with log.open("ab", buffering=0) as output:
            attempt = _Attempt(self, name, job, run, stop, output, meanwhile)
            try:
                result = attempt.perform(force)
            except OSError as error:  # such as a full disk, or a Python that is just being replaced
                result = Result(state.FAILED, f"it could not be run: {error}", 1)
            with suppress(OSError):  # the disk may be full, and the state tells it too
                output.write(f"[schedule] {result.outcome}: {result.reason}\n".encode())
        self.state.end(run, result.outcome, result.reason, again=self._again(run, result.outcome, job))
        _logger.info("%s: %s: %s", name, result.outcome, result.reason)
        return result

    def _again(self, run: Run, outcome: str, job: Job | None) -> tuple[datetime, int] | None:
        """When a run is tried again; runs of ``once`` are not: who asked for them sees the outcome."""
        if job is None or run.trigger == state.ONCE:
            return None
        now = datetime.now(UTC)
        if outcome == state.STOPPED:
            return now, run.attempt
        wait_s = job.retries.wait_s(run.attempt) if outcome in (state.FAILED, state.TIMEOUT, state.KILLED) else None
        return None if wait_s is None else (now + timedelta(seconds=wait_s), run.attempt + 1)

    def _new_log(self, name: str, run: Run) -> Path:
        folder = self.state.folder / "logs" / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.log"))[: -LOGS_KEPT + 1]:
            old.unlink(missing_ok=True)
        return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{run.id}.log"

    def looking_command(self, name: str, run: Run, force: bool) -> list[str]:
        """The command that looks at a job's data."""
        options = [*([f"--env={self.env}"] if self.env else []), *(["--force"] if force else [])]
        return [sys.executable, "-m", "medpipe.schedule.looking", str(self.project), name, run.id, *options]

    def pipeline_command(self, job: Job, pipeline: str) -> list[str]:
        """The command that runs a pipeline of a job."""
        return self._command(job, pipeline, self.env)

    def run_command(
        self, name: str, run: Run, command: list[str], output: IO[bytes], interrupted: Callable[[], bool]
    ) -> int | None:
        """Runs a command of a run to its end; None if it was interrupted. Nothing of it is left behind."""
        variables = {
            processes.RUN_VARIABLE: run.id,
            processes.JOB_VARIABLE: name,
            "COLUMNS": _LOG_COLUMNS,
            "PYTHONUNBUFFERED": "1",
        }
        process = processes.start(command, self.project, variables, output, self._job_lock.descriptor)
        try:
            self.state.set_process(run, process.pid)
            return processes.wait(process, interrupted)
        finally:
            group = process.pid if process.returncode is None else None
            processes.end_run(run.id, group, self._termination_s)
            process.wait()


class _Attempt:
    """The course of one attempt."""

    def __init__(
        self,
        executor: Executor,
        name: str,
        job: Job,
        run: Run,
        stop: Event,
        output: IO[bytes],
        meanwhile: Callable[[], None],
    ) -> None:
        self._executor, self._name, self._job, self._run = executor, name, job, run
        self._stop, self._output, self._meanwhile = stop, output, meanwhile
        self._deadline = time.monotonic() + job.timeout_s

    def perform(self, force: bool) -> Result:
        reason = "forced" if force else "each due time trains: min_new is 0"
        if self._job.min_new > 0:
            command = self._executor.looking_command(self._name, self._run, force)
            if failure := self._failure("looking for new data", command):
                return failure
            train, reason = self._executor.state.look(self._run)
            if not train:
                return Result(state.SKIPPED, reason)
        for pipeline in self._job.pipelines:
            if failure := self._failure(pipeline, self._executor.pipeline_command(self._job, pipeline)):
                return failure
        return Result(state.FINISHED, reason)

    def _interrupted(self) -> bool:
        self._meanwhile()
        return self._stop.is_set() or time.monotonic() > self._deadline

    def _failure(self, title: str, command: list[str]) -> Result | None:
        """Runs a command; None if all went well."""
        self._output.write(f"[schedule] {title}: {shlex.join(command)}\n".encode())
        status = self._executor.run_command(self._name, self._run, command, self._output, self._interrupted)
        if status == 0:
            return None
        if status is None and self._stop.is_set():
            return Result(state.STOPPED, f"{title}: stopped", INTERRUPTED)
        if status is None:
            return Result(state.TIMEOUT, f"{title}: ended after {self._job.timeout_s:g} s", TIMED_OUT)
        if status < 0:
            name = signal.Signals(-status).name
            hint = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
            return Result(state.FAILED, f"{title}: ended by {name}{hint}; see the log", 128 - status)
        return Result(state.FAILED, f"{title}: exit status {status}; see the log", status)
