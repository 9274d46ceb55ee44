"""Hounsfield units of DICOM slices: pixels decoded, unused bits cleared, slope and intercept of each slice applied.

Plain pixels are read straight from their place in the file. Compressed ones (PS3.5 A.4) are decoded by pydicom: RLE
here, JPEG, JPEG-LS and JPEG 2000 by GDCM and CharLS in a process of its own, and only if the codestream has the size
that the header declares.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers.archive import archive_of, open_file
from medpipe.ct.readers.base import ScanReadError
from medpipe.ct.readers.dicom_decoding import decoder
from medpipe.ct.readers.dicom_headers import lenient_reading
from medpipe.ct.readers.dicom_records import (
    MAX_SLICE_PIXELS,
    MAX_VOXELS,
    PLAIN_SYNTAXES,
    UNDEFINED_LENGTH,
    FileHeader,
    PixelPlace,
    SliceHeader,
)

PLAIN_BITS = (8, 16, 32)
"""Bits allocated to a value that can be read without a decoder."""

RLE = "1.2.840.10008.1.2.5"
MAX_HU = 3071
"""Highest Hounsfield unit of 12 bits with the usual intercept of -1024; padding above it would pass for metal."""

PADDING_HU = -1024
"""What padding above `MAX_HU` is set to: air."""

# fmt: off
PIXEL_TAGS = [
    0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102,
    0x00280103, 0x7FE00001, 0x7FE00002, 0x7FE00010,
]
# fmt: on
"""Image pixel module, extended offset table and pixel data."""

_CHUNK_BYTES = 1 << 20
_INT16 = np.iinfo(np.int16)


def read_hounsfield(slices: Sequence[SliceHeader]) -> NDArray[np.int16]:
    """Slices in Hounsfield units.

    Args:
        slices: All of one size, in the order wanted.

    Returns:
        int16 (slices, rows, columns).

    Raises:
        ScanReadError: If one cannot be read or decoded.
    """
    rows, columns = slices[0].file.rows, slices[0].file.columns
    if not 0 < rows * columns <= MAX_SLICE_PIXELS or len(slices) * rows * columns > MAX_VOXELS:
        raise ScanReadError(f"{len(slices)} slices of {rows} x {columns} pixels are no volume.")
    array = np.empty((len(slices), rows, columns), dtype=np.int16)
    places: dict[str, list[int]] = defaultdict(list)
    for k, header in enumerate(slices):
        places[str(header.file.path)].append(k)
    for indices in places.values():
        file = slices[indices[0]].file
        frames = [slices[k].frame for k in indices]
        for k, values in zip(indices, _stored_values(file, frames), strict=True):
            _to_hounsfield(values, slices[k], array[k])
    return array


def _to_hounsfield(values: NDArray[Any], header: SliceHeader, out: NDArray[np.int16]) -> None:
    """Stored values times slope plus intercept, both of this very slice (DICOM PS3.3 C.11.1.1.2)."""
    place, slope, intercept = header.file.pixels, header.slope, header.intercept
    assert place is not None
    if not header.has_rescale:
        raise ScanReadError("A slice has no usable rescale slope and intercept.", "absurd_hu")
    if slope == 1 and intercept.is_integer():
        lowest, highest = int(values.min()), int(values.max())
        low, high = lowest + intercept, highest + intercept
        if _INT16.min <= min(low, lowest, intercept) and max(high, highest, intercept) <= _INT16.max:
            np.add(values.astype(np.int16, copy=False), np.int16(intercept), out=out)
        else:
            np.clip(values.astype(np.int64) + int(intercept), _INT16.min, _INT16.max, out=out, casting="unsafe")
    else:
        hounsfield = np.rint(values * slope + intercept)
        low, high = float(hounsfield.min()), float(hounsfield.max())
        np.clip(hounsfield, _INT16.min, _INT16.max, out=out, casting="unsafe")
    if place.padding is not None and max(low, high) > MAX_HU:
        _clear_padding(values, place, slope, intercept, out)


def _clear_padding(
    values: NDArray[Any], place: PixelPlace, slope: float, intercept: float, out: NDArray[np.int16]
) -> None:
    """Sets padding that would pass for metal to air (PS3.3 C.7.5.1.1.2); other padding stays what it is."""
    assert place.padding is not None
    mask = (1 << place.bits_stored) - 1
    padding = place.padding & mask
    if place.signed and padding > mask >> 1:
        padding -= mask + 1
    if padding * slope + intercept > MAX_HU:
        out[values == padding] = PADDING_HU


def _stored_values(file: FileHeader, frames: Sequence[int]) -> Iterator[NDArray[Any]]:
    place = file.pixels
    if place is None:
        raise ScanReadError("A slice has no pixels.", "no_pixels")
    plain = place.syntax in PLAIN_SYNTAXES and place.offset is not None and place.length != UNDEFINED_LENGTH
    # bytes of 8-bit values are swapped in pairs in big endian (PS3.5 8.1.1): left to pydicom
    if plain and place.bits_allocated in PLAIN_BITS and (place.little_endian or place.bits_allocated > 8):
        return _plain_frames(file, place, frames)
    return _decoded_frames(file, place, frames)


def _plain_frames(file: FileHeader, place: PixelPlace, frames: Sequence[int]) -> Iterator[NDArray[Any]]:
    order, kind = "<" if place.little_endian else ">", "i" if place.signed else "u"
    dtype = np.dtype(f"{order}{kind}{place.bits_allocated // 8}")
    frame_bytes = file.rows * file.columns * dtype.itemsize
    try:
        with open_file(file.path) as stream:
            for frame in frames:
                stream.seek((place.offset or 0) + frame * frame_bytes)
                if len(data := stream.read(frame_bytes)) < frame_bytes:
                    missing = frame_bytes - len(data)
                    raise ScanReadError(f"The pixels of a slice are cut short by {missing} bytes.", "truncated_pixels")
                values = np.frombuffer(data, dtype=dtype).reshape(file.rows, file.columns)
                values = values if place.little_endian else values.astype(dtype.newbyteorder("="))
                yield _without_unused_bits(values, place)
            if archive_of(file.path):  # its checksum is compared when a member was read to the end
                while stream.read(_CHUNK_BYTES):
                    pass
    except ScanReadError:
        raise
    except Exception as error:  # damaged archives fail in many ways
        raise ScanReadError(f"The pixels of a slice cannot be read ({type(error).__name__}).") from error


def _without_unused_bits(values: NDArray[Any], place: PixelPlace) -> NDArray[Any]:
    """Shifts out what lies above and below the stored bits, such as the overlays of old (PS3.5 8.1.1)."""
    above = place.bits_allocated - 1 - place.high_bit
    below = place.bits_allocated - place.bits_stored
    if below == 0:
        return values
    return np.asarray(np.right_shift(np.left_shift(values, above), below))


def _decoded_frames(file: FileHeader, place: PixelPlace, frames: Sequence[int]) -> Iterator[NDArray[Any]]:
    try:
        with lenient_reading():
            data = _read_pixel_module(file, place)
            for frame in frames:
                values = _decoded(file, place, data, frame)
                if values.shape != (file.rows, file.columns) or values.dtype.kind not in "iu":
                    raise ScanReadError(f"A slice decodes to {values.shape} {values.dtype} values.")
                # decoders return the codestream's own precision, which is right; RLE holds the bytes as they were
                yield _without_unused_bits(values, place) if place.syntax == RLE else values
    except ScanReadError:
        raise
    except Exception as error:  # decoders fail on damaged codestreams in many ways
        raise ScanReadError(f"The pixels of a slice cannot be decoded ({type(error).__name__}).") from error


def _read_pixel_module(file: FileHeader, place: PixelPlace) -> Any:
    import pydicom

    with open_file(file.path) as stream:
        return pydicom.dcmread(stream, specific_tags=PIXEL_TAGS, force=True)


def _decoded(file: FileHeader, place: PixelPlace, data: Any, frame: int) -> NDArray[Any]:
    from pydicom.encaps import get_frame
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    if place.length != UNDEFINED_LENGTH or place.syntax == RLE:
        return np.asarray(get_decoder(UID(place.syntax)).as_array(data, index=frame, raw=True)[0])
    code = get_frame(data.PixelData, frame, number_of_frames=file.n_frames, extended_offsets=_offsets(data))
    if (size := codestream_size(code)) is not None and size != (file.rows, file.columns):
        raise ScanReadError(f"A compressed slice has {size[0]} x {size[1]} pixels, its header says otherwise.")
    return decoder().decode(file, place, code)


def _offsets(data: Any) -> tuple[bytes, bytes] | None:
    table = data.get("ExtendedOffsetTable"), data.get("ExtendedOffsetTableLengths")
    return (table[0], table[1]) if table[0] and table[1] else None


def codestream_size(code: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 codestream declares; None where it is none of them.

    Source: frame header of ISO 10918-1 B.2.2 and ISO 14495-1 C.2.2; SIZ marker of ISO 15444-1 A.5.1.
    """
    if code.startswith(b"\xff\x4f\xff\x51"):
        right, bottom, left, top = (int.from_bytes(code[at : at + 4], "big") for at in (8, 12, 16, 20))
        return bottom - top, right - left
    if not code.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        marker = code[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(code[at + 5 : at + 7], "big"), int.from_bytes(code[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    return None
