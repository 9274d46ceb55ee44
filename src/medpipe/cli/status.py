"""``medpipe status``: how a project is, on one screen."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medpipe.cli.told import told
from medpipe.core.imports import without_collection
from medpipe.registry.project import find_project

if TYPE_CHECKING:
    from medpipe.core.disk import DiskUse
    from medpipe.core.gpu import Gpu
    from medpipe.registry.runs import RecordedRun
    from medpipe.schedule.status import Status as ScheduleStatus

LOOK_S = 1.5
"""How long files may be counted; large folders are then told as "at least"."""

SERVER_S = 5
"""How long an MLflow server may take to answer."""


@dataclass(frozen=True)
class Model:
    """Who of a registered model's versions is in use.

    Attributes:
        name: Of the catalog entry.
        champion: Its number; None as long as there is none.
        since: When it was promoted (ISO 8601), where that is recorded.
        reason: Why.
        challenger: Number of the newest version on which nothing is decided.
        versions: How many there are.
    """

    name: str
    champion: str | None
    since: str | None
    reason: str
    challenger: str | None
    versions: int


@dataclass
class ProjectStatus:
    """All that the command shows; a part that cannot be told is empty and has a sentence in ``notes`` instead."""

    runs: "list[RecordedRun]" = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    schedule: "ScheduleStatus | None" = None
    disk: "list[DiskUse]" = field(default_factory=list)
    free_bytes: int = 0
    gpus: "list[Gpu]" = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As nested dictionaries of JSON's types; times are ISO 8601 in UTC."""
        plain = {name: value for name, value in asdict(self).items() if name != "schedule"}
        for run in plain["runs"]:
            run["started"] = run["started"].isoformat()
        for use in plain["disk"]:
            use["path"] = str(use["path"])
        return plain | {"schedule": self.schedule and self.schedule.to_json()}


@click.command()
@click.option("--env", "-e", help="Kedro environment whose data, models and schedule are shown.")
@click.option(
    "--runs", "-n", "n_runs", type=click.IntRange(0, 1000), default=5, show_default=True, help="How many runs."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@told()
@without_collection()
def status(env: str | None, n_runs: int, as_json: bool) -> None:
    """Show the newest runs, champions, scheduled jobs, disk use and GPUs."""
    import json

    found = read_status(find_project(), env, n_runs)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    from medpipe.cli.status_tables import show

    show(found)


def read_status(project: Path, env: str | None, n_runs: int) -> ProjectStatus:
    """Reads it all.

    Args:
        project: Folder of the project, ready for Kedro.
        env: Kedro environment; None takes KEDRO_ENV or ``local``.
        n_runs: How many runs at most.
    """
    from medpipe.core.gpu import read_gpus

    found = ProjectStatus(gpus=read_gpus())
    parts: dict[str, Callable[[], None]] = {
        "runs": lambda: _read_mlflow(found, project, env, n_runs),
        "disk": lambda: _read_disk(found, project, env),
        "schedule": lambda: _read_schedule(found, project, env),
    }
    for name, read in parts.items():
        _try(found, name, read)
    if not found.gpus:
        found.notes["gpus"] = "No GPU: none is here, or its driver does not answer."
    return found


def _try(found: ProjectStatus, part: str, read: Callable[[], None]) -> None:
    """A part that fails leaves a sentence; an address may hold a password, so only our own errors are told in full."""
    from medpipe.core.errors import InputError

    try:
        read()
    except InputError as error:
        found.notes[part] = str(error)
    except Exception as error:
        found.notes[part] = f"This could not be read ({type(error).__name__})."


def _read_mlflow(found: ProjectStatus, project: Path, env: str | None, n_runs: int) -> None:
    import os

    from medpipe.registry.project import read_params
    from medpipe.registry.registry import open_registry
    from medpipe.registry.runs import recent_runs

    env, params = read_params(project, env)
    if not params.enabled:
        found.notes["runs"] = found.notes["models"] = "mlflow.yml: enabled is false, so nothing is recorded."
        return
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(SERVER_S))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    found.runs = recent_runs(project, params, n_runs, _headlines(project, env))
    if not found.runs:
        found.notes["runs"] = found.notes["models"] = "No run is recorded yet: kedro run"
        return
    registry = open_registry(project, params, env)
    found.models = [_model(registry, name) for name in registry.names()]
    if not found.models:
        found.notes["models"] = f"No model of the environment {env!r} is registered yet; a training registers it."


def _model(registry: Any, name: str) -> Model:
    versions = registry.versions(name)
    champion, challenger = registry.champion(name), registry.challenger(name)
    reign = next(iter(registry.history(name)), None)
    return Model(
        name=name,
        champion=champion and champion.version,
        since=reign and reign.start,
        reason=reign.reason if reign else "",
        challenger=challenger and challenger.version,
        versions=len(versions),
    )


def _headlines(project: Path, env: str | None) -> set[str]:
    """Names in MLflow of the catalog's headlines; its files are read plainly, which takes a tenth of the time."""
    import yaml

    names: set[str] = set()
    for folder in {"base", env or "base"}:
        for file in (project / "conf" / folder).glob("catalog*.yml"):
            entries = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
            for entry in entries.values():
                metadata = entry.get("metadata") or {}
                prefix = (metadata.get("mlflow") or {}).get("folder", "")
                names |= {f"{prefix}{name}" for name in metadata.get("headline", [])}
    return names


def _loader(project: Path, env: str | None) -> Any:
    from kedro.framework.project import settings

    source = str(project / settings.CONF_SOURCE)
    return settings.CONFIG_LOADER_CLASS(conf_source=source, env=env, **settings.CONFIG_LOADER_ARGS)


def _read_schedule(found: ProjectStatus, project: Path, env: str | None) -> None:
    from medpipe.schedule.status import read_status as read_schedule

    schedule = read_schedule(project, env)
    if schedule.jobs:
        found.schedule = schedule
    else:
        found.notes["schedule"] = "No job is scheduled: write one into conf/base/schedules.yml (docs/retraining.md)."


def _read_disk(found: ProjectStatus, project: Path, env: str | None) -> None:
    import shutil
    import time

    from medpipe.core.disk import disk_use

    data = project / _loader(project, env)["globals"]["data"]
    found.free_bytes = shutil.disk_usage(project).free
    if not data.is_dir():
        found.notes["disk"] = f"{data} is not there yet; the first run makes it."
        return
    until = time.monotonic() + LOOK_S
    places = [*sorted(data.iterdir()), project / "mlruns", project / "mlflow.db"]
    uses = [disk_use(path, until) for path in places]
    found.disk = [use for use in uses if use.n_files or not use.complete]
