"""Readers of scans: each is one module that finds the scans of one kind of data and reads their voxels."""

from typing import cast

from medpipe.core.plugins import find_module
from medpipe.ct.readers.base import Reader, Rejection, ScanReadError, ScanRef

__all__ = ["Reader", "Rejection", "ScanReadError", "ScanRef", "find_reader"]


def find_reader(name: str) -> Reader:
    """The reader of a name in ``ingest_ct.readers``.

    Args:
        name: Module in ``medpipe.ct.readers``, or the dotted path of a module elsewhere.

    Raises:
        InputError: If there is no such module, or it is no reader.
    """
    return cast(Reader, find_module(name, __name__, Reader, "ingest_ct.readers"))
