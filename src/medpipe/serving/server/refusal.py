"""Answers to requests that cannot be served: a status, a short code for programs and a sentence for people."""

import json
from collections.abc import Mapping
from typing import Any

MAX_QUOTED = 300
"""Longest piece of somebody else's message that is passed on, in characters."""


class Refusal(Exception):
    """A request that is answered with something else than 200.

    Args:
        status: HTTP status (RFC 9110, section 15).
        code: Short code, such as ``zip_traversal``.
        message: A sentence that names field, value and what is expected; nothing of the server or of patients.
        retry_after_s: When to come back (RFC 9110, 10.2.3); seconds.
        details: More fields of the answer, such as the field at fault.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after_s, self.details = retry_after_s, details

    def body(self) -> bytes:
        """``{"error": {"code", "message", ...}}`` as JSON."""
        return to_json({"error": {"code": self.code, "message": self.message, **self.details}})

    def headers(self) -> dict[str, str]:
        """Headers beside the content's."""
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}


def to_json(content: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; NaN is an error, as JSON has none."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def quoted(text: object) -> str:
    """The first line of a message, cut."""
    line = (str(text).splitlines() or [""])[0]
    return line if len(line) <= MAX_QUOTED else f"{line[:MAX_QUOTED]}..."
