"""Connections of those who send no request: they are closed, and there are no more of them than files can be opened."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol  # bounds the headers of a request, unlike uvicorn's other one

ARRIVING_S = 30.0
"""Longest time until the headers of a request have arrived; its body has a limit of its own."""

BACKLOG = 256
"""Connections that the system keeps until they are taken; as many are taken at once."""

_FILES = 4096
"""Files that this process wants to be able to open: a connection is one, and so is an upload."""


class Connection(H11Protocol):
    """A connection of uvicorn, which by itself waits for headers for ever.

    Args:
        most: Connections that may be open; one more is closed at once.
        **settings: Of uvicorn.
    """

    def __init__(self, most: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._most = most
        self._arriving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        if len(self.connections) >= self._most:
            transport.abort()
            return
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Goes on waiting, or has a request."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        if self._arriving is not None:
            self._arriving.cancel()
        if self in self.connections:
            super().connection_lost(exc)

    def _wait(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            if self._arriving is not None:
                self._arriving.cancel()
            self._arriving = None
        elif self._arriving is None:
            self._arriving = self.loop.call_later(ARRIVING_S, self.transport.close)


def most_connections() -> int:
    """Half of the files that this process may open; asks the system for enough of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted // 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted // 2
