"""``medpipe models``: what is registered, who is champion and why, promotion and roll-back by hand."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from medpipe.cli.told import told

if TYPE_CHECKING:
    from medpipe.registry.registry import Registry
    from medpipe.registry.version import Version

_RETRIES = "2"  # of a server that does not answer, 6 s; MLflow's seven take minutes
_WIDTH = 140  # characters of a table that goes into a file or a pipe

_env = click.option("--env", "-e", help="Kedro environment whose models are meant; by default those of base and local.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON for scripts instead of tables.")
_reason = click.option("--reason", required=True, help="Why; it is kept with the decision.")


def _asks_registry(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the registry of ``--env``, and the user its errors without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, env: str | None, **options: Any) -> None:
        from medpipe.registry.passwords import hide_passwords
        from medpipe.registry.project import registry_of_project

        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _RETRIES)
        registry = registry_of_project(env)
        from mlflow.exceptions import MlflowException

        try:
            command(registry, *args, **options)
        except MlflowException as error:  # such as a server that does not answer
            raise click.ClickException(f"MLflow's store: {hide_passwords(str(error))}") from error

    return _env(told()(wrapped))


@click.group("models")
def models() -> None:
    """Registered models: versions, champions, decisions."""


@models.command("list")
@_json
@_asks_registry
def list_models(registry: "Registry", as_json: bool) -> None:
    """List all models with their champion and challenger."""
    from medpipe.cli import models_tables as tables

    rows = [
        {
            "name": name,
            "champion": _plain(registry.champion(name)),
            "since": next((reign.start for reign in registry.history(name)), None),
            "challenger": _plain(registry.challenger(name)),
            "versions": len(registry.versions(name)),
        }
        for name in registry.names()
    ]
    if as_json:
        _print_json(rows)
    elif rows:
        _print(tables.models(rows))
    else:
        click.echo("No model is registered yet; a pipeline that trains one registers it, such as kedro run.")


@models.command("show")
@click.argument("name")
@click.argument("version", required=False)
@click.option("--card", is_flag=True, help="The version's card, as Markdown; without VERSION the champion's.")
@_json
@_asks_registry
def show(registry: "Registry", name: str, version: str | None, card: bool, as_json: bool) -> None:
    """Show the versions and the history of NAME, or all about one VERSION (a number or an alias)."""
    from medpipe.cli import models_tables as tables
    from medpipe.core.errors import InputError

    if card:
        found = registry.get(name, version or "champion")
        text = registry.card(found)
        if text is None:
            raise InputError(f"{name}: version {found.version} has no card yet; it is written when it was measured.")
        click.echo(text)
    elif version is None:
        history = [asdict(reign) for reign in registry.history(name)]
        versions = [_plain(each) for each in registry.versions(name)]
        if as_json:
            _print_json({"name": name, "versions": versions, "history": history})
        else:
            _print(tables.versions(name, versions), *([tables.history(history)] if history else []))
    else:
        found = registry.get(name, version)
        about = {**_plain(found), "metrics": registry.metrics(found), "params": registry.params(found)}
        if as_json:
            _print_json(about)
        else:
            _print(*tables.version(about))


@models.command("promote")
@click.argument("name")
@click.argument("version")
@_reason
@_asks_registry
def promote(registry: "Registry", name: str, version: str, reason: str) -> None:
    """Make VERSION of NAME the champion, without asking the gate."""
    before = registry.champion(name)
    champion = registry.promote(name, version, reason, {"decided_by": "hand"})
    instead = f" instead of {before.version}" if before and before.version != champion.version else ""
    click.echo(f"{name}: version {champion.version} is champion{instead}.")


@models.command("rollback")
@click.argument("name")
@_reason
@_asks_registry
def rollback(registry: "Registry", name: str, reason: str) -> None:
    """Make the champion before this one champion again; twice goes one further back."""
    before = registry.champion(name)
    champion = registry.rollback(name, reason)
    click.echo(f"{name}: version {champion.version} is champion again instead of {before.version if before else '?'}.")


@models.command("compare")
@click.argument("name")
@click.argument("a")
@click.argument("b")
@_json
@_asks_registry
def compare(registry: "Registry", name: str, a: str, b: str, as_json: bool) -> None:
    """Compare two versions of NAME, A and B (numbers or aliases): what differs of parameters, data and results."""
    from medpipe.cli import models_tables as tables
    from medpipe.registry.comparison import compare_versions

    comparison = compare_versions(registry, registry.get(name, a), registry.get(name, b))
    if as_json:
        _print_json(asdict(comparison))
    else:
        _print(*tables.comparison(comparison))


def _plain(version: "Version | None") -> dict[str, Any]:
    """A version as JSON has it; an empty one for none."""
    if version is None:
        return {}
    return {**asdict(version), "created": version.created.isoformat(timespec="seconds")}


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, sort_keys=True))


def _print(*tables: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    for table in tables:
        console.print(table)
