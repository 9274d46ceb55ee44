"""``medpipe schedule``: retraining by the clock, by new data, by drift."""

import signal
import sys
from pathlib import Path
from threading import Event

import click

from medpipe.cli.told import told
from medpipe.registry.project import find_project

_ENV = click.option("--env", "-e", help="Kedro environment of jobs that name none.")


@click.group()
def schedule() -> None:
    """Retrain by the clock, by new data, by drift: the jobs of conf/<env>/schedules.yml."""


@schedule.command()
@_ENV
@told()
def run(env: str | None) -> None:
    """Run the jobs when they are due, until stopped (SIGTERM, Ctrl-C)."""
    from medpipe.schedule.execution import Executor
    from medpipe.schedule.scheduler import Scheduler

    project = find_project()
    Scheduler(Executor(project, env), _pipelines_apart(project)).run(_stopped_by_signals())


@schedule.command()
@click.argument("name")
@_ENV
@click.option("--force", is_flag=True, help="Run though nothing is new.")
@click.option("--wait/--no-wait", default=True, help="Whether to wait while another job runs; else exit status 75.")
@told()
def once(name: str, env: str | None, force: bool, wait: bool) -> None:
    """Run the job NAME now, with its retries; the exit status is the job's."""
    from medpipe.core.errors import InputError
    from medpipe.schedule.execution import Executor
    from medpipe.schedule.jobs import load_jobs
    from medpipe.schedule.scheduler import run_once

    jobs = load_jobs(find_project(), env, _pipelines())
    if name not in jobs:
        raise InputError(f"schedules.yml: there is no job {name!r}; there are {', '.join(jobs)}")
    result = run_once(Executor(find_project(), env), jobs, name, _stopped_by_signals(), force=force, wait=wait)
    click.echo(f"{name}: {result.outcome}: {result.reason}")
    sys.exit(result.status)


@schedule.command()
@_ENV
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--runs", default=0, metavar="N", help="The newest N runs instead.")
@told()
def status(env: str | None, as_json: bool, runs: int) -> None:
    """Show each job: last run with outcome and reason, what runs now, next due time."""
    import json

    from rich.console import Console

    from medpipe.schedule.jobs import load_jobs
    from medpipe.schedule.state import State
    from medpipe.schedule.status import read_status, runs_table, status_table

    project = find_project()
    found = read_status(project, env, load_jobs(project, env, _pipelines()))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(runs_table(State(project).runs(limit=runs)) if runs else status_table(found))


@schedule.command()
@click.argument("form", type=click.Choice(["systemd", "cron"]))
@_ENV
@told()
def export(form: str, env: str | None) -> None:
    """Print a systemd unit that keeps the scheduler, or lines for crontab."""
    from medpipe.schedule.export import crontab_lines, systemd_unit
    from medpipe.schedule.jobs import load_jobs

    jobs = load_jobs(find_project(), env, _pipelines())
    click.echo(
        systemd_unit(find_project(), env) if form == "systemd" else crontab_lines(find_project(), jobs, env), nl=False
    )


def _pipelines() -> list[str]:
    from kedro.framework.project import pipelines

    return list(pipelines)


def _pipelines_apart(project: Path) -> list[str]:
    """The same from a process of its own: what pipelines import need not stay in the scheduler's memory for a year."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_pipelines_of, project).result()


def _pipelines_of(project: Path) -> list[str]:
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    return _pipelines()


def _stopped_by_signals() -> Event:
    """An event that SIGTERM, SIGINT and SIGHUP set: the end of a terminal ends the job, too, unless under nohup."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop
