"""``medpipe export``: the project's schedules for orchestrators."""

import sys
from pathlib import Path
from typing import Any

import click

from medpipe.cli.told import told
from medpipe.registry.project import find_project


@click.group()
def export() -> None:
    """Write the project's schedules for an orchestrator."""


@export.command()
@click.option(
    "--pipeline", "-p", "names", multiple=True, help="A pipeline, triggered by hand; instead of the schedules."
)
@click.option("--env", "-e", help="Kedro environment of jobs that name none.")
@click.option("--output", "-o", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of DAGs.")
@click.option("--side-by-side", default=1, type=click.IntRange(1), show_default=True, help="Most tasks at a time.")
@told()
def airflow(names: tuple[str, ...], env: str | None, output: Path, side_by_side: int) -> None:
    """Write a DAG of Airflow 3 for each job of conf/<env>/schedules.yml."""
    from tzlocal import get_localzone_name

    from medpipe.core.errors import InputError
    from medpipe.schedule.airflow import Host, plan, write_dag
    from medpipe.schedule.jobs import Job, load_jobs

    project = find_project()
    from kedro.framework.project import pipelines

    unknown = sorted(set(names) - set(pipelines))
    if unknown:
        raise InputError(f"--pipeline {unknown[0]!r} is none of {', '.join(sorted(pipelines))}")
    jobs = (
        {name: Job(cron="0 0 1 1 *", pipelines=(name,)) for name in names}
        if names
        else {name: job for name, job in load_jobs(project, env, list(pipelines)).items() if job.enabled}
    )
    host = Host(project, Path(sys.executable), get_localzone_name())
    for name, job in jobs.items():
        dag = plan(name, job, pipelines, _catalog(project, job.in_env(env)), scheduled=not names)
        click.echo(write_dag(dag, host, env, output, side_by_side))


def _catalog(project: Path, env: str | None) -> Any:
    from kedro.framework.session import KedroSession

    with KedroSession.create(project, env=env) as session:
        return session.load_context().catalog
