"""``medpipe shared-run``: one MLflow run for several processes, for orchestrators."""

from pathlib import Path
from typing import Any

import click

_ENV = click.option("--env", "-e", help="Kedro environment whose mlflow.yml counts.")


@click.group("shared-run")
def shared_run() -> None:
    """Begin and end an MLflow run that several processes share by MLFLOW_RUN_ID."""


@shared_run.command()
@_ENV
@click.option("--pipeline", "-p", "pipelines", required=True, help="What is going to be run, for people.")
def begin(env: str | None, pipelines: str) -> None:
    """Begin a run and print its number."""
    from medpipe.hooks.shared_run import begin_shared_run

    click.echo(_told(lambda project: begin_shared_run(project, env, pipelines)))


@shared_run.command()
@_ENV
@click.argument("run_id")
@click.argument("status", type=click.Choice(["FINISHED", "FAILED", "KILLED"]))
def end(env: str | None, run_id: str, status: Any) -> None:
    """End the run RUN_ID."""
    from medpipe.hooks.shared_run import end_shared_run

    _told(lambda project: end_shared_run(project, env, run_id, status))


def _told(action: Any) -> Any:
    """Wrong input ends the command with its sentence, not with a traceback."""
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    from medpipe.core.errors import InputError

    project = find_kedro_project(Path.cwd().resolve())
    if project is None:
        raise click.ClickException(f"{Path.cwd()}: no project lies here or above; change to the project's folder")
    bootstrap_project(project)
    try:
        return action(Path(project))
    except InputError as error:
        raise click.ClickException(str(error)) from error
