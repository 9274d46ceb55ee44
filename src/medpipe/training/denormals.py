"""Numbers too small for their full precision, which processors compute with a hundred times more slowly."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Takes them for 0 while it lasts; around a block or as ``@flushed_denormals()``.

    The setting is the processor's, for all code of the thread, so it is taken back.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
