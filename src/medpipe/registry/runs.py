"""The newest runs that MLflow has recorded."""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from medpipe.registry.client import found
from medpipe.registry.database import SQLITE
from medpipe.registry.params import MLflowParams

PROCESS_TAG = "process"
"""Host and number of the process of a run."""

_CLOCK_ERROR = timedelta(minutes=5)
"""By which a clock may have been set since a process began, whose age the kernel tells by the clock of today."""


@dataclass(frozen=True)
class RecordedRun:
    """A run of pipelines.

    Attributes:
        run_id: MLflow's.
        pipelines: Names, with commas between them.
        env: Kedro environment.
        started: UTC.
        seconds: How long it took, or has taken so far.
        status: MLflow's: RUNNING, FINISHED, FAILED or KILLED; the last also where the process is gone unrecorded.
        error: What it failed with; empty where it did not.
        metrics: Name to value, of those that were asked for.
    """

    run_id: str
    pipelines: str
    env: str
    started: datetime
    seconds: float
    status: str
    error: str
    metrics: Mapping[str, float]


def recent_runs(project: Path, params: MLflowParams, n: int, metrics: Collection[str]) -> list[RecordedRun]:
    """The newest runs of the experiment, of all environments; nothing is made where nothing is recorded.

    Args:
        project: Folder of the project.
        params: Content of ``mlflow.yml``.
        n: How many at most.
        metrics: Which of their metrics are wanted.
    """
    uri = params.store_uri(project)
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        return []
    import mlflow

    client = mlflow.MlflowClient(uri)
    experiment = found(lambda: client.get_experiment_by_name(params.experiment))
    if experiment is None:
        return []
    newest = client.search_runs([experiment.experiment_id], max_results=n, order_by=["attributes.start_time DESC"])
    return [_run(run, metrics) for run in newest]


def _run(run: Any, metrics: Collection[str]) -> RecordedRun:
    tags, info = run.data.tags, run.info
    started = datetime.fromtimestamp(info.start_time / 1000, UTC)
    ended = datetime.fromtimestamp(info.end_time / 1000, UTC) if info.end_time else datetime.now(UTC)
    status = "KILLED" if info.status == "RUNNING" and is_gone(tags.get(PROCESS_TAG, ""), started) else str(info.status)
    return RecordedRun(
        run_id=info.run_id,
        pipelines=tags.get("kedro.pipeline", ""),
        env=tags.get("kedro.env", ""),
        started=started,
        seconds=(ended - started).total_seconds(),
        status=status,
        error=tags.get("error", ""),
        metrics={name: value for name, value in run.data.metrics.items() if name in metrics},
    )


def is_gone(process: str, started: datetime) -> bool:
    """Whether the process of a run has ended, if it is one of this host; of other hosts nothing is known.

    Args:
        process: ``host:number``, as in the tag of a run. Numbers are given again: a process that is younger than the
            run is another one.
        started: When the run began.
    """
    import psutil

    host, _, pid = process.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        born = datetime.fromtimestamp(psutil.Process(int(pid)).create_time(), UTC)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    return born > started + _CLOCK_ERROR
