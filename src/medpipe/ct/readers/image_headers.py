"""What the header of an image file says of its voxels, looked at before any library makes room for them.

A damaged header may name a size that fills the memory, more dimensions than a library has room for, or a data file
anywhere on disk. What passes here is safe to hand to ITK: sizes are bounded and fit the bytes that are there.
"""

import gzip
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers.base import ScanReadError

MAX_VOXELS = 2**30
"""Largest image read: 4096 slices of 512 x 512 pixels, twice the longest CT of a whole body at 0.5 mm."""

MAX_COMPRESSION = 1032
"""Bytes that one byte of a deflate stream can stand for at most (zlib's technical details)."""

MAX_TRAILING_BYTES = 4096
"""Padding that may follow the voxels; a size that was damaged leaves more than that over."""

MAX_HEADER_BYTES = 65_536
"""Real headers of text take 1 to 2 KB; a data file in their place must not be read whole to find that out."""

NIFTI_BYTES = 348
"""Length of a NIfTI-1 header."""

MAX_LINE = 1024
"""Longest line of a text header: ITK's MetaIO copies fields into arrays of fixed length."""

MAX_DIMENSIONS = 5
"""Above it no scan is written, and from 10 on MetaIO writes behind its arrays."""

_METAIMAGE_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_METAIMAGE_VECTORS = {
    "ElementSpacing": 1, "ElementSize": 1, "Offset": 1, "Position": 1, "Origin": 1, "CenterOfRotation": 1,
    "TransformMatrix": 2, "Rotation": 2, "Orientation": 2,
}  # fmt: skip
"""Fields of n or n x n numbers, for n dimensions (https://itk.org/Wiki/ITK/MetaIO/Documentation)."""

_NRRD_TYPES = (
    (re.compile(r"(signed )?char|int8(_t)?"), "i1"),
    (re.compile(r"(unsigned |u)char|uint8(_t)?"), "u1"),
    (re.compile(r"(signed )?short( int)?|int16(_t)?"), "i2"),
    (re.compile(r"(unsigned |u)short( int)?|uint16(_t)?"), "u2"),
    (re.compile(r"(signed )?int|int32(_t)?"), "i4"),
    (re.compile(r"(unsigned |u)int|uint32(_t)?"), "u4"),
    (re.compile(r"(signed )?long ?long( int)?|int64(_t)?"), "i8"),
    (re.compile(r"(unsigned |u)long ?long( int)?|uint64(_t)?"), "u8"),
    (re.compile(r"float"), "f4"),
    (re.compile(r"double"), "f8"),
)
"""Names of types (https://teem.sourceforge.net/nrrd/format.html#type)."""

_NRRD_DOMAINS = frozenset({"domain", "space", "time", "none", "???"})
"""Kinds of an axis along which there are voxels; the other kinds are components of one."""


@dataclass(frozen=True)
class Declared:
    """The voxels that a header promises.

    Attributes:
        size: Voxels along each axis in the order of the file, without axes of one voxel beyond the third.
        dtype: Of a voxel as it is stored.
        data: File that holds the voxels; the header's own where they follow it.
        offset: Bytes before the first voxel.
        compressed: Whether the voxels are compressed.
        whole_file: Whether all of the file is compressed, so that ``offset`` counts inside.
    """

    size: tuple[int, ...]
    dtype: np.dtype[Any]
    data: Path
    offset: int = 0
    compressed: bool = False
    whole_file: bool = False

    @property
    def n_bytes(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.size) * self.dtype.itemsize


def check(declared: Declared) -> None:
    """Checks the promise against limits and against the bytes on disk.

    Raises:
        ScanReadError: If there is no volume, or not one that can be held or that can be in the file.
    """
    size = "x".join(map(str, declared.size))
    if len(declared.size) > 3:
        raise ScanReadError(f"The image has {len(declared.size)} dimensions ({size}), 3 expected.", "four_dimensional")
    if len(declared.size) < 3 or min(declared.size) < 1:
        raise ScanReadError(f"The header tells of {size or 'no'} voxels, a volume is expected.", "not_a_volume")
    if math.prod(declared.size) > MAX_VOXELS:
        raise ScanReadError(f"The header tells of {size} voxels, at most {MAX_VOXELS} are read.")
    if not declared.data.is_file():
        raise ScanReadError("The file of the voxels, which the header names, is missing.")
    found = declared.data.stat().st_size
    if not declared.compressed and found < declared.offset + declared.n_bytes:
        raise ScanReadError(
            f"The file of the voxels is cut short: {found} bytes, {declared.offset + declared.n_bytes} expected."
        )
    if not declared.compressed and found > declared.offset + declared.n_bytes + MAX_TRAILING_BYTES:
        raise ScanReadError(
            f"The file of the voxels is longer than its header tells: {found} bytes, "
            f"{declared.offset + declared.n_bytes} expected."
        )
    if declared.compressed and found * MAX_COMPRESSION < declared.n_bytes:
        raise ScanReadError(
            f"The file of the voxels is cut short: {found} compressed bytes for {declared.n_bytes} of voxels."
        )


def metaimage(file: Path) -> Declared:
    """What a MetaImage header (``.mhd``, ``.mha``) says.

    Raises:
        ScanReadError: If it is none, or holds values that no image has.
    """
    lines, end = _text_header(file, lambda line: line.partition("=")[0].strip() == "ElementDataFile")
    fields = {key.strip(): value.strip() for key, sign, value in (line.partition("=") for line in lines) if sign}
    if not {"NDims", "DimSize", "ElementType", "ElementDataFile"} <= fields.keys():
        raise ScanReadError("The file is no MetaImage header.")
    n_dims = _dimensions(fields["NDims"])
    for name, power in _METAIMAGE_VECTORS.items():
        if name in fields:
            _numbers(fields[name], n_dims**power, name)
    if _integer(fields.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels") != 1:
        raise ScanReadError("A voxel holds several values, one expected.", "not_ct")
    if fields["ElementType"] not in _METAIMAGE_TYPES:
        raise ScanReadError("The header names a type of voxel that is no number.", "not_ct")
    if not _truth(fields.get("BinaryData", "True")):
        raise ScanReadError("The voxels are written as text, which is not read.")
    name = fields["ElementDataFile"]
    local = name.upper() == "LOCAL"
    data = file if local else beside(file, name)
    compressed = _truth(fields.get("CompressedData", "False"))
    if _integer(fields.get("CompressedDataSize", "0"), "CompressedDataSize") > _size(data):
        raise ScanReadError(f"The file of the voxels is cut short: {_size(data)} bytes, more are declared.")
    size = _sizes(fields["DimSize"], n_dims)
    msb = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    dtype = np.dtype(_METAIMAGE_TYPES[fields["ElementType"]]).newbyteorder(">" if _truth(msb) else "<")
    offset = end if local else _integer(fields.get("HeaderSize", "0"), "HeaderSize")
    return _from_the_end(Declared(size, dtype, data, offset, compressed))


def nrrd(file: Path) -> Declared:
    """What an NRRD header (``.nrrd``, ``.nhdr``) says.

    Raises:
        ScanReadError: If it is none, or holds values that no image has.
    """
    lines, end = _text_header(file, lambda line: not line.strip())
    if not lines or not lines[0].startswith("NRRD000"):
        raise ScanReadError("The file is no NRRD header.")
    pairs = (line.partition(":") for line in lines[1:] if not line.startswith("#") and ":=" not in line)
    fields = {key.strip().lower().replace(" ", ""): value.strip() for key, sign, value in pairs if sign}
    if not {"dimension", "sizes", "type", "encoding"} <= fields.keys():
        raise ScanReadError("The NRRD header lacks its dimension, sizes, type or encoding.")
    n_dims = _dimensions(fields["dimension"])
    if set(fields.get("kinds", "").lower().split()) - _NRRD_DOMAINS:
        raise ScanReadError("A voxel holds several values, one expected.", "not_ct")
    dtype = next((np.dtype(code) for names, code in _NRRD_TYPES if names.fullmatch(fields["type"].lower())), None)
    if dtype is None:
        raise ScanReadError("The header names a type of voxel that is no number.", "not_ct")
    dtype = dtype.newbyteorder(">" if fields.get("endian", "little").lower() == "big" else "<")
    encoding = fields["encoding"].lower()
    if encoding not in {"raw", "gzip", "gz"}:
        raise ScanReadError("The voxels are neither raw nor compressed by gzip; other encodings are not read.")
    lines_left_out, bytes_left_out = (_integer(fields.get(name, "0"), name) for name in ("lineskip", "byteskip"))
    if lines_left_out or (bytes_left_out and encoding != "raw"):
        raise ScanReadError("Voxels with lines before them, or compressed with bytes before them, are not read.")
    detached = fields.get("datafile")
    data = beside(file, detached) if detached else file
    offset = bytes_left_out + (0 if detached or bytes_left_out < 0 else end)
    return _from_the_end(Declared(_sizes(fields["sizes"], n_dims), dtype, data, offset, encoding != "raw"))


def _from_the_end(declared: Declared) -> Declared:
    """With the place of voxels that a file ends with (a header of "-1" bytes) worked out."""
    if declared.offset >= 0:
        return declared
    return replace(declared, offset=max(0, _size(declared.data) - declared.n_bytes))


def nifti(file: Path) -> Declared:
    """What a NIfTI-1 header (``.nii``, ``.nii.gz``) says (https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).

    Raises:
        ScanReadError: If it is none, or holds values that no image has.
    """
    from nibabel.nifti1 import data_type_codes

    header, compressed = _nifti_header(file)
    dims = [int(number) for number in header["dim"]]
    if not 1 <= dims[0] <= 7 or min(dims[1 : dims[0] + 1]) < 1:
        raise ScanReadError("The header names a size that no image has.")
    code = int(header["datatype"])
    if code not in data_type_codes.dtype or data_type_codes.dtype[code].kind not in "iuf":
        raise ScanReadError("The header names a type of voxel that is no number.", "not_ct")
    if data_type_codes.dtype[code].itemsize > 8:
        raise ScanReadError("The voxels are floating point numbers of more than 64 bits, which are not read.")
    offset = float(header["vox_offset"])
    if not NIFTI_BYTES <= offset <= MAX_HEADER_BYTES:
        raise ScanReadError("The header names a place of the voxels that no image has.")
    size = _without_single(dims[1 : dims[0] + 1])
    dtype = data_type_codes.dtype[code].newbyteorder(header.endianness)
    return Declared(size, dtype, file, int(offset), compressed, whole_file=compressed)


def nifti_scale(file: Path) -> tuple[float, float]:
    """Slope and intercept of a NIfTI file that was checked; 1 and 0 where it has none.

    Raises:
        ScanReadError: If they are no numbers.
    """
    header, _ = _nifti_header(file)
    try:
        slope, intercept = header.get_slope_inter()
    except Exception as error:  # nibabel's own class, for infinity
        raise ScanReadError("The header names a slope or intercept that is no number.") from error
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept))


def nifti_affines(file: Path) -> list[NDArray[np.float64]]:
    """The 4 x 4 affines, from voxel (x, y, z) to world RAS millimetres, that a sane header tells: sform and qform.

    Raises:
        ScanReadError: If the file is no NIfTI-1 image.
    """
    header, _ = _nifti_header(file)
    try:
        affines = [header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]]
    except Exception as error:  # nibabel's own classes, for a rotation that is none
        raise ScanReadError("The header names axes that are no rotation.") from error
    return [affine for affine in affines if affine is not None]


def _nifti_header(file: Path) -> tuple[Any, bool]:
    from nibabel.nifti1 import Nifti1Header

    block, compressed = _first_bytes(file, NIFTI_BYTES)
    try:
        header = Nifti1Header(block, check=False)
    except Exception as error:  # nibabel's own classes, all for a block that is no header
        raise ScanReadError("The file is no NIfTI-1 image.") from error
    if header["magic"].item() != b"n+1" or int(header["sizeof_hdr"]) != NIFTI_BYTES:
        raise ScanReadError("The file is no NIfTI-1 image in one file.")
    return header, compressed


def beside(file: Path, name: str) -> Path:
    """The data file that a header names; it must lie in the header's folder or below it.

    Raises:
        ScanReadError: If it lies elsewhere, or is several files.
    """
    path = PurePosixPath(name)
    if "%" in name or name.upper().startswith("LIST") or not path.name:
        raise ScanReadError("The voxels are spread over several files, which is not read.")
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ScanReadError("The header names a file of voxels outside its own folder.")
    return file.parent / path


def _text_header(file: Path, is_last: Callable[[str], bool]) -> tuple[list[str], int]:
    """Lines up to the last one of the header, and where the next byte lies."""
    lines: list[str] = []
    with file.open("rb") as stream:
        block = stream.read(MAX_HEADER_BYTES)
    start = 0
    while start < len(block):
        stop = block.find(b"\n", start)
        stop = len(block) if stop < 0 else stop
        if stop - start > MAX_LINE:
            raise ScanReadError("The header holds a line that is too long for one.")
        lines.append(block[start:stop].decode("latin-1").rstrip("\r"))
        start = stop + 1
        if is_last(lines[-1]):
            break
    return lines, min(start, len(block))


def _first_bytes(file: Path, count: int) -> tuple[bytes, bool]:
    with file.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(file, "rb") if compressed else file.open("rb") as stream:
            return stream.read(count), compressed
    except (OSError, EOFError, zlib.error) as error:
        raise ScanReadError("The file cannot be decompressed.") from error


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _dimensions(text: str) -> int:
    if not 1 <= (count := _integer(text, "number of dimensions")) <= MAX_DIMENSIONS:
        raise ScanReadError(f"The header tells of {count} dimensions, 3 expected.")
    return count


def _sizes(text: str, count: int) -> tuple[int, ...]:
    return _without_single([int(number) for number in _numbers(text, count, "size")])


def _without_single(size: list[int]) -> tuple[int, ...]:
    while len(size) > 3 and size[-1] == 1:
        size = size[:-1]
    return tuple(size)


def _numbers(text: str, count: int, name: str) -> list[float]:
    try:
        numbers = [float(number) for number in text.split()]
    except ValueError as error:
        raise ScanReadError(f"The header holds a {name} that is no number.") from error
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ScanReadError(f"The header holds a {name} of other than {count} numbers.")
    return numbers


def _integer(text: str, name: str) -> int:
    (number,) = _numbers(text, 1, name)
    return int(number)


def _truth(text: str) -> bool:
    return text[:1].upper() in {"T", "Y", "1"}
