"""The outermost layer: sizes and times of requests, one line of log each, and no error that leaves it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from medpipe.serving.server.params import MB, ServeParams
from medpipe.serving.server.refusal import Refusal
from medpipe.serving.server.services import failed_at

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

DRAINING_S = 2.0
"""The rest of a refused body is read for so long: closing on unread bytes loses its answer (RFC 9112, 9.6)."""

_logger = logging.getLogger(__name__)


class Guard:
    """Wraps the application.

    Args:
        app: The application.
        params: Limits.
        routes: Paths that exist; only these are logged, as are known methods: others may hold anything.
    """

    def __init__(self, app: App, params: ServeParams, routes: set[str]) -> None:
        self._app = app
        self._params = params
        self._routes = routes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        exchange = _Exchange(scope, receive, send, self._params)
        start = time.monotonic()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:  # answered with 500 by then
            _logger.error("A request failed: %s", failed_at(error))
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "(unknown)"
            path = scope["path"] if scope["path"] in self._routes else "(unknown)"
            milliseconds = 1000 * (time.monotonic() - start)
            _logger.info("%s %s %s in %.0f ms", method, path, exchange.status, milliseconds)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, params: ServeParams) -> None:
        self._receive, self._send, self._params = receive, send, params
        self._deadline = time.monotonic() + params.timeout_s
        self._complete = False
        self._n_bytes = 0
        headers = dict(scope["headers"])
        self._declared = headers.get(b"content-length", b"0")
        self._waits_for_go = b"expect" in headers
        self.status = 0

    async def receive(self) -> Message:
        """The next part of the body, within the limits.

        Raises:
            Refusal: 413 or 408.
        """
        if self._complete:
            return await self._receive()
        if self._declared.isdigit() and int(self._declared) > self._params.max_body_mb * MB:
            raise self._too_large()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._next()
        except TimeoutError as error:
            raise Refusal(
                408, "arrived_too_slowly", f"The request did not arrive within {self._params.timeout_s:g} s."
            ) from error
        if self._n_bytes > self._params.max_body_mb * MB:
            raise self._too_large()
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message

    def _too_large(self) -> Refusal:
        return Refusal(413, "body_too_large", f"The request is larger than {self._params.max_body_mb:g} MB.")

    async def send(self, message: Message) -> None:
        """Sends; what is left of the body is read first."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            await self._drain()
        await self._send(message)

    async def _drain(self) -> None:
        if self._waits_for_go and not self._n_bytes:  # "100-continue": nothing was sent yet (RFC 9110, 10.1.1)
            return
        try:
            async with asyncio.timeout(DRAINING_S):
                while not self._complete:
                    await self._next()
        except TimeoutError:
            return
