"""Scans that are handed to a model as they are, instead of by a path."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.volume import Volume

SCAN = "scan"
"""Column of the bytes of a scan."""

GEOMETRY_COLUMNS = ("spacing_zyx_mm", "origin_xyz_mm", "direction")
"""Columns that place an array in the world, as `medpipe.ct.geometry.Geometry` names them; direction row by row."""

_NUMPY_MAGIC = b"\x93NUMPY"  # numpy.lib.format.MAGIC_PREFIX
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1
_DIMENSIONS = 3


def as_input(*volumes: Volume) -> pd.DataFrame:
    """Scans in memory as the input of the served model, one row each.

    Args:
        volumes: Hounsfield units with their geometry.

    Returns:
        Columns scan (bytes of ``numpy.save``), spacing_zyx_mm, origin_xyz_mm, direction.
    """
    return pd.DataFrame([_row(volume) for volume in volumes])


def _row(volume: Volume) -> dict[str, Any]:
    stream = io.BytesIO()
    np.save(stream, volume.array, allow_pickle=False)
    geometry = volume.geometry
    return {
        SCAN: stream.getvalue(),
        "spacing_zyx_mm": list(geometry.spacing_zyx_mm),
        "origin_xyz_mm": list(geometry.origin_xyz_mm),
        "direction": [value for row in geometry.direction for value in row],
    }


def write_scan_file(folder: Path, content: bytes, geometry: Mapping[str, Any], name: str) -> None:
    """Writes the one scan of a folder.

    Args:
        folder: Made here.
        content: Of ``numpy.save``: Hounsfield units (z, y, x); or a NIfTI file, compressed or not, which has its own
            geometry.
        geometry: Values of `GEOMETRY_COLUMNS`; origin and direction may be missing.
        name: Of the row, for messages.

    Raises:
        InputError: If an array comes without its spacing, or is not one of three axes.
    """
    folder.mkdir(parents=True)
    if not content.startswith(_NUMPY_MAGIC):
        (folder / f"{SCAN}.nii{'.gz' if content.startswith(_GZIP_MAGIC) else ''}").write_bytes(content)
        return
    from medpipe.ct.phantom.writers import write_metaimage
    from medpipe.ct.readers.itk import as_int16

    try:
        _check_length(content)
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # NumPy reads headers as Python expressions, which fail in many ways
        reason = str(error).partition("\n")[0]
        raise InputError(f"{name}: {SCAN} is no array as numpy.save writes it ({reason})") from error
    if array.ndim != _DIMENSIONS or array.dtype.kind not in "iuf":
        raise InputError(f"{name}: {SCAN} is {array.dtype} {array.shape}, expected Hounsfield units (z, y, x)")
    write_metaimage(folder / f"{SCAN}.mhd", Volume(as_int16(array), _geometry(array.shape, geometry, name)))


def _check_length(content: bytes) -> None:
    """Holds the header of an array against its bytes: NumPy makes room for what a header tells before it reads."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(stream)
    told, found = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if told != found:
        raise ValueError(f"its header tells of {told} bytes, {found} follow")


def _geometry(shape: tuple[int, ...], columns: Mapping[str, Any], name: str) -> Geometry:
    given = {key: np.asarray(value, dtype=float) for key, value in columns.items() if np.ndim(value) > 0}
    spacing, origin = given.get("spacing_zyx_mm"), given.get("origin_xyz_mm", np.zeros(3))
    direction = given.get("direction", np.eye(3))
    if spacing is None or spacing.size != 3 or not (spacing > 0).all() or origin.size != 3 or direction.size != 9:
        raise InputError(
            f"{name}: an array needs spacing_zyx_mm (3 positive numbers) and may have origin_xyz_mm (3) and direction "
            f"(9, row by row); got {dict(columns)}"
        )
    rows = tuple(tuple_of_3(row, float) for row in direction.reshape(3, 3))
    return Geometry(tuple_of_3(shape, int), tuple_of_3(spacing, float), tuple_of_3(origin, float), rows)
