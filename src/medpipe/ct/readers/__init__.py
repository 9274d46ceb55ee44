"""Readers of scans: each is one module that finds the scans of one kind of data and reads their voxels."""

from typing import cast

from medpipe.core.plugins import find_module
from medpipe.ct.readers import dicom, images, luna16
from medpipe.ct.readers.base import Reader, Rejection, ScanReadError, ScanRef

__all__ = ["Reader", "Rejection", "ScanReadError", "ScanRef", "find_reader"]


READERS = {"luna16": luna16, "dicom": dicom, "images": images}


def find_reader(name: str) -> Reader:
    """The reader of a name in ``ingest_ct.readers``.

    Args:
        name: One of `READERS`, or the dotted path of a module of the user's.

    Raises:
        InputError: If there is no such module, or it is no reader.
    """
    return cast(Reader, find_module(name, READERS, Reader, "ingest_ct.readers"))
