"""Projects with jobs whose pipelines are lines of shell, and a scheduler for them in a process of its own."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from medpipe.schedule.execution import Executor
from medpipe.schedule.jobs import Job
from tests.scratch import PROJECT

SCRIPTS = {
    "quick": "echo quick $MEDPIPE_SCHEDULE $MEDPIPE_SCHEDULE_RUN >> ran",
    "second": "echo second $MEDPIPE_SCHEDULE $MEDPIPE_SCHEDULE_RUN >> ran",
    "fail": "echo fail >> ran; echo out of luck; exit 3",
    "crash": "kill -SEGV $$",
    "starve": "kill -KILL $$",
    "long": "echo begin >> ran; sleep 600",
    "once_long": "echo begin >> ran; [ -e goes_on ] || sleep 600; echo end >> ran",
    "until_told": "echo begin >> ran; while [ ! -e goes_on ]; do sleep 0.05; done; echo end >> ran",
    "stubborn": "trap '' TERM; setsid sh -c \"trap '' TERM; sleep 600 & echo \\$! >> pids; wait\" & "
    "sleep 600 & echo $! >> pids; echo begin >> ran; wait; wait; sleep 600",
    "leaves": "sleep 600 & echo $! >> pids; echo quick >> ran",
}
"""What stands for a pipeline; a line in the file ``ran`` tells that it ran."""


def shell(job: Job, pipeline: str, env: str | None) -> list[str]:
    return ["sh", "-c", SCRIPTS[pipeline]]


def make_job(*pipelines: str, **fields: Any) -> dict[str, Any]:
    """A job that trains at each due time, which is hardly ever."""
    return {"cron": "0 0 1 1 *", "pipelines": list(pipelines), "min_new": 0, "retries": {"times": 0}, **fields}


def write_jobs(project: Path, jobs: dict[str, Any]) -> Path:
    file = project / "conf" / "base" / "schedules.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(jobs, sort_keys=False))
    return project


def executor(project: Path) -> Executor:
    return Executor(project, command=shell, termination_s=0.5)


def ran(project: Path) -> list[str]:
    """Lines that pipelines left."""
    file = project / "ran"
    return file.read_text().splitlines() if file.exists() else []


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until something holds, and gives it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


def start_scheduler(project: Path) -> subprocess.Popen[str]:
    """A scheduler in a process of its own."""
    command = [sys.executable, "-m", "tests.schedule.fakes", str(project)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main() -> None:
    from medpipe.cli.schedule import _stopped_by_signals
    from medpipe.schedule.scheduler import Scheduler

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    Scheduler(executor(Path(sys.argv[1]))).run(_stopped_by_signals())


if __name__ == "__main__":
    main()
