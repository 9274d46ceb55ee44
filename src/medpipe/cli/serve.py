"""``medpipe serve``: a model behind HTTP."""

import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from medpipe.cli.told import told

if TYPE_CHECKING:
    from medpipe.serving.server.params import ServeParams
    from medpipe.serving.server.run import Follow

KINDS = ("nodules", "generator", "properties")
_MAX_BODY_MB = {"nodules": 1024.0, "generator": 64.0, "properties": 64.0}


@click.command("serve")
@click.argument("kind", type=click.Choice(KINDS), default="nodules")
@click.option("--model", help="Version, alias, folder or MLflow uri. [default: the champion]")
@click.option("--env", "-e", help="Kedro environment whose registry is asked.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes with the model.")
@click.option("--queue", default=32, show_default=True, type=click.IntRange(0), help="Requests that may wait.")
@click.option("--max-wait", default=300.0, show_default=True, help="Seconds that a request may wait.")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to arrive, and to be worked on.")
@click.option("--max-body-mb", type=float, help="Largest request. [default: 1024 for nodules, else 64]")
@click.option("--max-unpacked-mb", default=4096.0, show_default=True, help="Largest archive when unpacked.")
@click.option("--max-files", default=10_000, show_default=True, help="Most files of an archive.")
@click.option("--max-rows", default=10_000, show_default=True, help="Most rows or SMILES of a request.")
@click.option("--max-molecules", default=10_000, show_default=True, help="Most molecules drawn for a request.")
@click.option("--max-memory-gb", type=float, help="Most memory of a worker. [default: 3/4 of the machine's, shared]")
@click.option(
    "--follow",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds between looks for a new champion, which is then served; 0 keeps to the model. Not with --model.",
)
@click.option(
    "--scans",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder below which callers may name scans by path. [default: none]",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    help="A name by which the server may be called, beside localhost, addresses in numbers and the machine's own name, "
    "or of a page that may ask it; to be repeated.",
)
@told()
def serve(kind: str, model: str | None, env: str | None, host: str, port: int, follow: float, **limits: Any) -> None:
    """Serve the champion over HTTP: nodules (the default), generator or properties.

    It listens on this machine alone, without TLS and without passwords; docs/serving.md shows what goes in front of it.
    """
    from pydantic import ValidationError

    from medpipe.cli.champion import choose_model
    from medpipe.serving.server.params import ServeParams
    from medpipe.serving.server.run import LOOPBACK, run_server
    from medpipe.serving.server.worker import WorkerSpec

    try:
        params = ServeParams.model_validate(
            {
                "timeout_s": limits.pop("timeout"),
                "max_wait_s": limits.pop("max_wait"),
                **limits,
                "max_body_mb": _MAX_BODY_MB[kind] if limits["max_body_mb"] is None else limits["max_body_mb"],
                "names": (*limits["names"], host),
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).removesuffix('_s').replace('_', '-')}"
        raise click.BadParameter(f"{option} is {first['input']!r}: {first['msg']}") from error
    if host not in LOOPBACK:
        click.echo(
            f"Warning: --host {host} opens this server to everybody who can reach the machine: no TLS, no passwords, "
            "and scans are of patients. Put a reverse proxy in front of 127.0.0.1 instead (docs/serving.md).",
            err=True,
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # or temporary folders would stay while a model is loaded
    with TemporaryDirectory(prefix="medpipe-model-") as folder:
        chosen = choose_model(kind, model, env, Path(folder))
        click.echo(f"Loading {chosen.title} ...")
        title = f"{kind} ({chosen.title})"
        following = _follow(kind, env, Path(folder), params, follow) if model is None and follow else None
        spec = WorkerSpec(kind, chosen.folder, chosen.name, chosen.version, params)
        run_server(spec, host, port, lambda address: click.echo(f"Serving {title} at {address}"), following)


def _follow(kind: str, env: str | None, folder: Path, params: "ServeParams", every_s: float) -> "Follow":
    from medpipe.cli.champion import newer_champion
    from medpipe.serving.server.run import Follow
    from medpipe.serving.server.worker import WorkerSpec

    def newer(served: WorkerSpec, unfit: frozenset[str | None]) -> WorkerSpec | None:
        found = newer_champion(served.name, {served.version, *unfit}, env, folder, keep=served.folder)
        return None if found is None else WorkerSpec(kind, found.folder, found.name, found.version, params)

    return Follow(newer, every_s)
