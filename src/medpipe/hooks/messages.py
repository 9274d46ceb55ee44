"""What may be told of an error outside the log on the terminal."""

import re

_ABSOLUTE = re.compile(r"""(?<![^\s=("'\[,])/""")
"""A slash that begins a path."""


def public_message(error: BaseException) -> str:
    """Kind and first line of an error, with ``<path>`` in place of paths: names of files may be names of patients.

    A path ends at the next colon, since names may hold blanks; a relative one takes the words before it along.

    Args:
        error: What a node or a run failed with.
    """
    text = str(error.strerror or "") if isinstance(error, OSError) else str(error)
    line = next(iter(text.strip().splitlines()), "")
    parts = [_without_path(part) for part in line.split(": ")]
    return ": ".join([type(error).__name__, *filter(None, parts)])


def _without_path(part: str) -> str:
    before, *after = _ABSOLUTE.split(part, maxsplit=1)
    if "/" in before:
        return "<path>"
    return f"{before}<path>" if after else part
