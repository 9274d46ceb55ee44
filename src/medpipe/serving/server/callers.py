"""Who may ask: nobody whose browser was sent here by a page of somebody else.

Such a page can have its own name point to this machine, and then reads the answers (DNS rebinding), or sends a form
here. The browser tells: by the header Host, which then holds that name, and by Origin, which holds the page's.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request

from medpipe.serving.server.refusal import Refusal, quoted


class Callers:
    """Looks at the headers of each request.

    Args:
        names: By which the server may be called, and of pages that may ask it. Beside them there are ``localhost``, the
            machine's own name, and addresses in numbers: no page on the web can have one of those for its name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._asked_for = {name.lower() for name in names}
        self._names = {*self._asked_for, "localhost", socket.gethostname().lower()}

    async def check(self, request: Request) -> None:
        """Lets a request pass.

        Raises:
            Refusal: 421 for a name that is not this server's, 403 for a page of somebody else.
        """
        host = request.headers.get("host", "").lower()
        name = _name(host)
        if host and name not in self._names and not _is_address(name):
            raise Refusal(
                421, "unknown_host", f"Host is {quoted(host)!r}, which is no name of this server; it takes more by "
                "--allow-host.",
            )  # fmt: skip
        origin = request.headers.get("origin")
        if origin is None:
            return
        page = origin.lower().partition("://")[2]
        if page != host and _name(page) not in self._asked_for:
            raise Refusal(
                403,
                "foreign_origin",
                "Pages from elsewhere may not ask; a page of yours is let in at the start of the "
                "server (--allow-host).",
            )


def _name(authority: str) -> str:
    """The name without the port (RFC 3986, 3.2)."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
