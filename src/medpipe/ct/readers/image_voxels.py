"""Stored values of image files, straight from the bytes.

Libraries are lenient here: of compressed voxels that break off ITK makes a volume that is empty from there on, and
nothing compares checksums. Plain voxels it keeps twice and takes six times as long for.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers.base import ScanReadError
from medpipe.ct.readers.image_headers import MAX_TRAILING_BYTES, Declared

_CHUNK_BYTES = 1 << 22
_EITHER_HEADER = 32
"""Added to the window's size it lets zlib tell its own header from gzip's (https://docs.python.org/3/library/zlib)."""


def stored_voxels(declared: Declared, slices: slice = slice(None)) -> NDArray[Any]:
    """Stored values (z, y, x) of some slices.

    Args:
        declared: What the header says; it was checked.
        slices: Which, from one to another; to the last one, the checksum of compressed voxels is compared.

    Raises:
        ScanReadError: If there are fewer or more values than the header tells.
        zlib.error: If compressed values are damaged.
        EOFError: If they break off.
    """
    columns, rows, depth = declared.size
    first, last, _ = slices.indices(depth)
    plane = rows * columns * declared.dtype.itemsize
    if declared.compressed:
        inside, before = (declared.offset, 0) if declared.whole_file else (0, declared.offset)
        content = _inflated(declared.data, before, inside + last * plane, to_end=last == depth)
        values = content[inside + first * plane :].view(declared.dtype)
    else:
        offset = declared.offset + first * plane
        values = np.fromfile(declared.data, declared.dtype, count=(last - first) * rows * columns, offset=offset)
    return values.reshape(last - first, rows, columns)


def _inflated(file: Path, before: int, count: int, *, to_end: bool) -> NDArray[np.uint8]:
    """The first decompressed bytes of a file from a place on."""
    content, filled, more = np.empty(count, dtype=np.uint8), 0, 0
    for part in _parts(file, before):
        taken = min(len(part), count - filled)
        content[filled : filled + taken] = np.frombuffer(part, dtype=np.uint8, count=taken)
        filled, more = filled + taken, more + len(part) - taken
        if filled == count and not to_end:
            return content
        if more > MAX_TRAILING_BYTES:
            raise ScanReadError("The compressed voxels are more than the header tells.")
    if filled < count:
        raise ScanReadError(f"The compressed voxels are cut short: {filled} bytes, {count} expected.")
    return content


def _parts(file: Path, before: int) -> Iterator[bytes]:
    """Decompressed pieces of a stream of zlib, or of one or several members of gzip."""
    with file.open("rb") as stream:
        stream.seek(before)
        inflater = zlib.decompressobj(zlib.MAX_WBITS | _EITHER_HEADER)
        while chunk := stream.read(_CHUNK_BYTES):
            while chunk:
                if inflater.eof:
                    if not chunk.startswith(b"\x1f"):  # what lies behind the last member is padding
                        return
                    inflater = zlib.decompressobj(zlib.MAX_WBITS | _EITHER_HEADER)
                yield inflater.decompress(chunk, _CHUNK_BYTES)
                chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof:
            if not (part := inflater.decompress(b"", _CHUNK_BYTES)):
                raise EOFError("the compressed stream breaks off")
            yield part
