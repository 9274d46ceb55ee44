"""Processes of a job: started in a group of their own, and ended to the last.

Every process of a run carries the run's id in its environment, from its parent, whatever session or group it moves to.
So what a killed scheduler left behind is found again, and nothing of a job outlives it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

RUN_VARIABLE, JOB_VARIABLE = "MEDPIPE_SCHEDULE_RUN", "MEDPIPE_SCHEDULE"
"""Environment of a job's processes: id of the run, name of the job."""

TERMINATION_S = 10.0
"""Seconds between SIGTERM and SIGKILL."""

_POLL_S = 0.1


def start(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes], lock: int
) -> subprocess.Popen[bytes]:
    """Starts a command in a process group of its own.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        variables: Added to the environment.
        output: Takes what it writes, on both streams.
        lock: Descriptor of a lock that it shall hold.
    """
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=(lock,),
    )


def wait(process: subprocess.Popen[bytes], interrupted: Callable[[], bool]) -> int | None:
    """Waits for a process.

    Args:
        process: The process.
        interrupted: Asked again and again whether to wait no longer.

    Returns:
        The exit status; None if the waiting was interrupted and the process still runs.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_S)
        if interrupted():
            return None


def end_run(run_id: str, group: int | None = None, termination_s: float = TERMINATION_S) -> int:
    """Ends all processes of a run: SIGTERM, then SIGKILL for those that stay.

    Args:
        run_id: Its id.
        group: A process group of it whose leader was not waited for, so that its number is no other's.
        termination_s: Seconds for an orderly end.

    Returns:
        How many processes of it there were.
    """
    found = _processes(run_id)
    _signal(run_id, group, signal.SIGTERM)
    deadline = time.monotonic() + termination_s
    while _alive(run_id, group) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    while _alive(run_id, group) and time.monotonic() < deadline + termination_s:  # some may just have been started
        _signal(run_id, group, signal.SIGKILL)
        time.sleep(_POLL_S)
    return len(found)


def _alive(run_id: str, group: int | None) -> bool:
    return bool(_processes(run_id)) or (group is not None and _group_lives(group))


def _group_lives(group: int) -> bool:
    """Whether the group has a member other than a dead one that nobody has asked after."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _signal(run_id: str, group: int | None, number: signal.Signals) -> None:
    if group is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for process in _processes(run_id):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _processes(run_id: str) -> list[Any]:
    """Processes that carry the run's id; those of other users cannot be looked into and are left out."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(RUN_VARIABLE) == run_id:
                found.append(process)
    return found
