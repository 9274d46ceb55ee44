"""What the jobs of a project are up to: last outcome, what runs, what comes next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medpipe.schedule.jobs import Job, load_jobs
from medpipe.schedule.scheduler import scheduler_lock
from medpipe.schedule.state import Run, State


@dataclass(frozen=True)
class JobStatus:
    """A job at this moment.

    Attributes:
        name: Of the job.
        cron: When it is due.
        pipelines: What it runs.
        enabled: Whether the scheduler runs it.
        running: The attempt that runs now.
        waiting: The attempt that waits for its turn, or for the end of the wait before a retry.
        last: The newest attempt that is over, or was missed.
        next: The next due time; None if it is switched off.
    """

    name: str
    cron: str
    pipelines: tuple[str, ...]
    enabled: bool
    running: Run | None
    waiting: Run | None
    last: Run | None
    next: datetime | None


@dataclass(frozen=True)
class Status:
    """The schedule of a project at this moment.

    Attributes:
        scheduler: Which process looks after it; None where no scheduler runs.
        jobs: In the order of ``schedules.yml``.
    """

    scheduler: str | None
    jobs: tuple[JobStatus, ...]

    def to_json(self) -> dict[str, Any]:
        """As nested dictionaries; times as ISO 8601 text."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def read_status(project: Path, env: str | None = None, jobs: Mapping[str, Job] | None = None) -> Status:
    """Reads the state; nothing is started or changed.

    A run that is written down as running though its processes are gone (the scheduler was killed) is shown so until the
    next scheduler or ``once`` sees to it.

    Args:
        project: Folder of the project.
        env: Kedro environment of the scheduler.
        jobs: If they were read already.

    Raises:
        InputError: ``schedules.yml`` is wrong.
    """
    jobs = load_jobs(project, env) if jobs is None else jobs
    kept = State(project)
    running = {run.job: run for run in kept.running()}
    waiting = {run.job: run for run in kept.waiting()}
    now = datetime.now(UTC)
    found = [
        JobStatus(
            name,
            job.cron,
            job.pipelines,
            job.enabled,
            running.get(name),
            waiting.get(name),
            kept.last(name),
            job.schedule.next_after(now) if job.enabled else None,
        )
        for name, job in jobs.items()
    ]
    return Status(scheduler_lock(project).holder(), tuple(found))


def status_table(status: Status) -> Any:
    """The status as a table of rich, times in the host's time zone."""
    from rich.table import Table

    title = f"Scheduler: {status.scheduler}" if status.scheduler else "No scheduler runs"
    table = Table("job", "last run", "outcome", "reason", "now", "next", title=title, title_justify="left")
    for job in status.jobs:
        last = job.last
        table.add_row(
            job.name,
            _local(last.started or last.planned) if last else "",
            last.outcome if last else "",
            last.reason if last else "",
            _now(job),
            _local(job.next) if job.enabled else "switched off",
        )
    return table


def runs_table(runs: list[Run]) -> Any:
    """Runs as a table of rich, the newest first."""
    from rich.table import Table

    table = Table("job", "planned", "began", "took", "attempt", "outcome", "reason", "log")
    for run in runs:
        took = str(run.ended - run.started).partition(".")[0] if run.started and run.ended else ""
        cells = (_local(run.planned), _local(run.started), took, str(run.attempt), run.outcome, run.reason)
        table.add_row(run.job, *cells, run.log or "")
    return table


def _now(job: JobStatus) -> str:
    if job.running:
        return f"attempt {job.running.attempt} since {_local(job.running.started)}"
    if job.waiting:
        why = "retry" if job.waiting.attempt > 1 else "waits"
        return f"{why} from {_local(job.waiting.due)}"
    return ""


def _local(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
