"""Runs the server until it is told to stop."""

import asyncio
import signal
import socket
from collections.abc import Callable

from medpipe.core.errors import InputError
from medpipe.serving.server.app import make_app
from medpipe.serving.server.pool import Pool
from medpipe.serving.server.worker import WorkerSpec

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KEEP_ALIVE_S = 30
_BACKLOG = 2048


def run_server(spec: WorkerSpec, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves; on SIGTERM or SIGINT no request is taken any more, and those that are inside are finished.

    Args:
        spec: Model and limits.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        say: Is told the address, once requests are taken.

    Raises:
        InputError: If the model cannot be loaded or the address is not to be had.
    """
    with _listen(host, port) as listener:
        asyncio.run(_serve(spec, listener, say))


def _listen(host: str, port: int) -> socket.socket:
    """Takes the port before the model is loaded, which may take a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there ({error.strerror}).") from error


async def _serve(spec: WorkerSpec, listener: socket.socket, say: Callable[[str], None]) -> None:
    import uvicorn

    pool = Pool(spec)
    try:
        await pool.open()
        app = make_app(pool, spec)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", log_level="warning",
            timeout_keep_alive=_KEEP_ALIVE_S,
        )  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end, before ours
            signal.signal(number, lambda *_: None)
        host, port = listener.getsockname()[:2]
        say(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        await pool.close()
