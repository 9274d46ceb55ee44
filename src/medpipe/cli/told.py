"""How a command tells what is wrong with its input."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def told() -> Iterator[None]:
    """Wrong input ends a command with its sentence, not with a traceback; around a block or as ``@told()``."""
    from medpipe.core.errors import InputError

    try:
        yield
    except InputError as error:
        raise click.ClickException(str(error)) from error
