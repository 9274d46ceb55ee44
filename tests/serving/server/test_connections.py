"""Connections of those who send no request, on a real server."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn

from medpipe.serving.server import connections

ARRIVING_S = 0.5
MOST = 3
WORK_S = 1.0
"""The application takes longer than headers may."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(WORK_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections, "ARRIVING_S", ARRIVING_S)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=partial(connections.Connection, MOST), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def drip(connection: socket.socket) -> None:
    """Headers for ever, or until the server closes."""
    connection.sendall(b"GET / HTTP/1.1\r\n")
    for _ in range(100):
        connection.sendall(b"a: b\r\n")
        time.sleep(0.1)


def test_headers_that_drip_are_not_waited_for(port: int) -> None:
    with connect(port) as slow, pytest.raises(OSError, match=r"reset|[Bb]roken"):
        drip(slow)


def test_work_may_take_longer_than_headers_and_the_connection_is_used_again(port: int) -> None:
    with connect(port) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while not answer.endswith(b"ok"):
                part = connection.recv(4096)
                assert part
                answer += part
            assert answer.startswith(b"HTTP/1.1 200")


def test_one_connection_too_many_is_closed_at_once(port: int) -> None:
    with connect(port), connect(port), connect(port), connect(port) as last:
        last.settimeout(ARRIVING_S / 2)
        assert is_closed(last)
