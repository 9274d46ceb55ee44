"""Imports of large libraries by commands that people wait for."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Holds Python's garbage collector back; around a block or as ``@without_collection()``.

    Importing MLflow makes hundreds of thousands of objects that stay. The collector looks through them again and again
    as they grow in number, which takes a quarter of the time of the import.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
