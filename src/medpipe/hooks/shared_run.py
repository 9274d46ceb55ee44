"""One MLflow run for several processes, such as the tasks of a DAG: begun before them, joined by them, ended after.

Each of them finds its number in ``MLFLOW_RUN_ID`` and then neither begins nor ends a run of its own.
"""

import os
from pathlib import Path
from typing import Any, Literal

from medpipe.core.errors import InputError
from medpipe.hooks.experiment import experiment_id
from medpipe.hooks.provenance import run_tags
from medpipe.registry.project import read_params
from medpipe.registry.registry import open_registry

Status = Literal["FINISHED", "FAILED", "KILLED"]


def begin_shared_run(project: Path, env: str | None, pipelines: str) -> str:
    """Begins a run and returns its number.

    Args:
        project: Folder of a project that was bootstrapped.
        env: Kedro environment; None takes KEDRO_ENV or the project's default.
        pipelines: Names of what is going to be run, for people.

    Raises:
        InputError: Tracking is switched off, or its store cannot be used.
    """
    client, params = _client(project, env)
    tags = run_tags(pipelines, env, project) | params.tags
    return str(client.create_run(experiment_id(client, params, project), tags=tags).info.run_id)


def end_shared_run(project: Path, env: str | None, run_id: str, status: Status) -> None:
    """Ends a run.

    Args:
        project: Folder of a project that was bootstrapped.
        env: As where it was begun.
        run_id: Its number.
        status: How it went.

    Raises:
        InputError: There is no such run.
    """
    client, _ = _client(project, env)
    from mlflow.exceptions import MlflowException

    try:
        client.set_terminated(run_id, status)
    except MlflowException as error:
        raise InputError(f"{run_id!r} is no run of the MLflow store: {error}") from error


def _client(project: Path, env: str | None) -> tuple[Any, Any]:
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its log lines go the way of all others
    _, params = read_params(project, env)
    if not params.enabled:
        raise InputError("mlflow.yml: enabled is false, so there is no run to share; set it to true.")
    open_registry(project, params, env)  # makes the database where there is none
    import mlflow

    return mlflow.MlflowClient(params.store_uri(project)), params
