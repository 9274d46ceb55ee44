"""Addresses without the passwords in them."""

import re

_USER_INFORMATION = re.compile(r"(?<=://)([^\s/:@]*):\S*@")
"""``user:password@`` of a URI (RFC 3986, 3.2.1), up to the last at sign: a password may hold one by mistake."""

_QUERY = re.compile(r"(?i)\b(password|pwd|token|secret)=[^&\s'\"]+")


def hide_passwords(text: str) -> str:
    """A text in which the passwords of all addresses are three asterisks."""
    return _QUERY.sub(r"\1=***", _USER_INFORMATION.sub(r"\1:***@", text))
