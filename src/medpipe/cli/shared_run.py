"""``medpipe shared-run``: one MLflow run for several processes, for orchestrators."""

from typing import Any

import click

from medpipe.cli.told import told
from medpipe.registry.project import find_project

_ENV = click.option("--env", "-e", help="Kedro environment whose mlflow.yml counts.")


@click.group("shared-run")
def shared_run() -> None:
    """Begin and end an MLflow run that several processes share by MLFLOW_RUN_ID."""


@shared_run.command()
@_ENV
@click.option("--pipeline", "-p", "pipelines", required=True, help="What is going to be run, for people.")
@told()
def begin(env: str | None, pipelines: str) -> None:
    """Begin a run and print its number."""
    from medpipe.hooks.shared_run import begin_shared_run

    click.echo(begin_shared_run(find_project(), env, pipelines))


@shared_run.command()
@_ENV
@click.argument("run_id")
@click.argument("status", type=click.Choice(["FINISHED", "FAILED", "KILLED"]))
@told()
def end(env: str | None, run_id: str, status: Any) -> None:
    """End the run RUN_ID."""
    from medpipe.hooks.shared_run import end_shared_run

    end_shared_run(find_project(), env, run_id, status)
