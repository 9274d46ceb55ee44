"""Runs the server until it is told to stop."""

import asyncio
import logging
import math
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from medpipe.core.errors import InputError
from medpipe.serving.server.app import make_app
from medpipe.serving.server.pool import Pool
from medpipe.serving.server.services import failed_at
from medpipe.serving.server.worker import WorkerSpec

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KEEP_ALIVE_S = 30

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Follow:
    """How a server goes over to another model while it runs.

    Attributes:
        newer: Is told the model that is served and the versions that could not be, and gives the one to go over to, or
            None; it may block.
        every_s: Seconds between two looks.
    """

    newer: Callable[[WorkerSpec, frozenset[str | None]], WorkerSpec | None]
    every_s: float


def run_server(
    spec: WorkerSpec, host: str, port: int, say: Callable[[str], None], follow: Follow | None = None
) -> None:
    """Serves; on SIGTERM or SIGINT no request is taken any more, and those that are inside are finished.

    Args:
        spec: Model and limits.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        say: Is told the address, once requests are taken.
        follow: Where other models come from; None keeps to this one.

    Raises:
        InputError: If the model cannot be loaded or the address is not to be had.
    """
    with _listen(host, port) as listener:
        asyncio.run(_serve(spec, listener, say, follow))


def _listen(host: str, port: int) -> socket.socket:
    """Takes the port before the model is loaded, which may take a while."""
    from medpipe.serving.server.connections import BACKLOG

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there ({error.strerror}).") from error


async def _serve(spec: WorkerSpec, listener: socket.socket, say: Callable[[str], None], follow: Follow | None) -> None:
    from functools import partial

    import uvicorn

    from medpipe.serving.server.connections import BACKLOG, Connection, most_connections

    pool = Pool(spec)
    try:
        await pool.open()
        app = make_app(pool, spec)
        config = uvicorn.Config(
            app, http=partial(Connection, most_connections()), ws="none", lifespan="off", backlog=BACKLOG,  # type: ignore[arg-type]
            log_config=None, access_log=False, log_level="warning", server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S, timeout_graceful_shutdown=math.ceil(spec.params.longest_s),
        )  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end, before ours
            signal.signal(number, lambda *_: None)
        host, port = listener.getsockname()[:2]
        say(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        following = asyncio.create_task(_follow(pool, follow)) if follow is not None else None
        await uvicorn.Server(config).serve(sockets=[listener])
        if following is not None:
            following.cancel()
    finally:
        await pool.close()


async def _follow(pool: Pool, follow: Follow) -> None:
    """Looks for another model again and again; whatever fails, the old one is served on."""
    unfit: frozenset[str | None] = frozenset()
    while True:
        await asyncio.sleep(follow.every_s)
        spec = None
        try:
            spec = await asyncio.to_thread(follow.newer, pool.spec, unfit)
            if spec is not None:
                await pool.renew(spec)
                _logger.info("Now serving %s version %s", spec.name, spec.version)
        except Exception as error:
            if spec is not None and isinstance(error, InputError):  # it cannot be loaded: not again with each look
                unfit |= {spec.version}
            reason = str(error) if isinstance(error, InputError) else failed_at(error)
            _logger.warning("The model stays as it is: looking for another one failed: %s", reason)
