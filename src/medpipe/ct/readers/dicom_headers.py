"""What intake needs of each DICOM file, read without the pixels: one header a slice, or a frame of a multi-frame file.

Values come straight from the bytes of their elements; pydicom's conversion of each would take three times as long, and
fails on the first odd one, where here only that value is missing.
"""

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from medpipe.ct.readers.archive import file_size, open_file
from medpipe.ct.readers.dicom_elements import Elements
from medpipe.ct.readers.dicom_frames import FRAME_GROUPS, SHARED_GROUPS, frame_headers, plain_header
from medpipe.ct.readers.dicom_records import (
    DEFLATED,
    TIME_TAGS,
    UNDEFINED_LENGTH,
    BadFile,
    FileHeader,
    PixelPlace,
    SliceHeader,
)

PREAMBLE_BYTES = 128
"""Length of the preamble before the letters ``DICM`` (DICOM PS3.10, 7.1)."""

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
# fmt: off
OTHER_SUFFIXES = frozenset({
    ".mhd", ".mha", ".raw", ".zraw", ".nii", ".nrrd", ".nhdr", ".npy", ".npz", ".b2nd", ".csv", ".tsv", ".xls",
    ".xlsx", ".parquet", ".sqlite", ".db", ".xml", ".json", ".yml", ".yaml", ".txt", ".md", ".log", ".html", ".pdf",
    ".png", ".jpg", ".jpeg", ".gz", ".zip", ".whl", ".py",
})
# fmt: on
"""Endings of files that are never opened as DICOM; any other name is looked into."""

GROUP_8_STARTS = (b"\x08\x00", b"\x00\x08")
"""First bytes of a data set that was stored without preamble and meta information, little and big endian."""

DEFLATED_WITHIN_BYTES = 1024
"""The transfer syntax stands this near to the start of a file."""

MAX_INFLATED_BYTES = 1 << 31
"""A deflated data set that is longer than this is refused."""

_CHUNK_BYTES = 1 << 22

PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, double and integer pixel data; reading stops before them."""

INTEGER_PIXELS = 0x7FE00010
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR file, the table of contents of a disk."""

PATIENT_IDENTITY_REMOVED = 0x00120062
NUMBER_OF_FRAMES = 0x00280008
BURNED_IN_ANNOTATION = 0x00280301

# fmt: off
FILE_TAGS = (
    0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00080070, 0x00081090, 0x00100020, PATIENT_IDENTITY_REMOVED,
    0x00181210, 0x0020000D, 0x0020000E, 0x00200013, 0x00200032, 0x00200037, 0x00280002, 0x00280004, NUMBER_OF_FRAMES,
    0x00280010, 0x00280011, 0x00280030, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120,
    BURNED_IN_ANNOTATION, 0x00281052, 0x00281053, *TIME_TAGS, SHARED_GROUPS, FRAME_GROUPS,
)
# fmt: on
"""Every element that is looked at."""


def dicom_candidates(files: Sequence[Path]) -> list[Path]:
    """The files that may be DICOM, by their first bytes or, failing that, by their name."""
    return [file for file in files if file.suffix.lower() not in OTHER_SUFFIXES and _may_be_dicom(file)]


def _may_be_dicom(file: Path) -> bool:
    if file.suffix.lower() in DICOM_SUFFIXES:
        return True
    if file.exists() and not file.is_file():  # opening a pipe would wait for ever
        return False
    try:
        with open_file(file) as stream:
            start = stream.read(PREAMBLE_BYTES + 4)
    except FileNotFoundError:  # a link to nowhere
        return False
    except Exception:  # not to be read, as a damaged member of an archive: told as such rather than passed over
        return True
    return start[PREAMBLE_BYTES:] == b"DICM" or start.startswith(GROUP_8_STARTS)


@contextmanager
def lenient_reading() -> Iterator[None]:
    """Within it, pydicom takes values that break the standard's letter without a word: intake has its own checks."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    mode, level = config.settings.reading_validation_mode, logger.level
    config.settings.reading_validation_mode = config.IGNORE
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode = mode
        logger.setLevel(level)


def read_headers(files: Sequence[Path]) -> list[SliceHeader | BadFile]:
    """The slices of each file in their order; a file that cannot be read comes back with its error."""
    with lenient_reading():
        return [header for file in files for header in _read_file(file)]


def _read_file(path: Path) -> Sequence[SliceHeader | BadFile]:
    try:
        with open_file(path) as stream:
            return _parse(path, stream)
    except RecursionError:
        return [BadFile(path, "its sequences are nested without end")]
    except Exception as error:  # pydicom fails on broken files in many ways; each is a file that cannot be read
        return [BadFile(path, type(error).__name__)]


class _PixelFinder:
    """Stops pydicom at the pixel data, and remembers where and how long they are."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.tag, self.length, self.offset = stream, 0, 0, 0

    def __call__(self, tag: Any, vr: str | None, length: int) -> bool:
        if tag not in PIXEL_DATA:
            return False
        self.tag, self.length, self.offset = int(tag), length, self.stream.tell()
        return True


def _parse(path: Path, stream: BinaryIO) -> Sequence[SliceHeader | BadFile]:
    from pydicom.filereader import read_partial

    if DEFLATED.encode() in stream.read(DEFLATED_WITHIN_BYTES) and not _inflates_within_bounds(stream):
        return [BadFile(path, f"its deflated data exceed {MAX_INFLATED_BYTES >> 20} MiB")]
    stream.seek(0)
    finder = _PixelFinder(stream)
    data = read_partial(stream, finder, force=True, specific_tags=list(FILE_TAGS))
    values = Elements(data)
    file = _file_header(path, values, _pixel_place(path, data, values, finder))
    if not file.series_uid:
        is_directory = str(data.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY
        return [] if is_directory else [BadFile(path, "it names no series")]
    if values.items(SHARED_GROUPS) or values.items(FRAME_GROUPS):
        return frame_headers(file, values)
    return [plain_header(file, values)]


def _inflates_within_bounds(stream: BinaryIO) -> bool:
    """Whether a data set that is deflated as a whole stays small enough to hold (PS3.5 A.5)."""
    stream.seek(PREAMBLE_BYTES + 4)
    # the first element of the meta information is its own length: tag, VR, length of the value, value (PS3.10 7.1)
    (meta_bytes,) = struct.unpack("<8xI", stream.read(12))
    stream.seek(meta_bytes, os.SEEK_CUR)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total, chunk = 0, stream.read(_CHUNK_BYTES)
    while chunk and total <= MAX_INFLATED_BYTES and not inflater.eof:
        total += len(inflater.decompress(chunk, _CHUNK_BYTES))
        chunk = inflater.unconsumed_tail or stream.read(_CHUNK_BYTES)
    return total <= MAX_INFLATED_BYTES


def _file_header(path: Path, values: Elements, pixels: PixelPlace | None) -> FileHeader:
    return FileHeader(
        path=path,
        series_uid=values.text(0x0020000E),
        study_uid=values.text(0x0020000D),
        sop_uid=values.text(0x00080018),
        sop_class=values.text(0x00080016),
        modality=values.text(0x00080060),
        patient_id=values.words(0x00100020) or "",
        kernel=values.words(0x00181210),
        manufacturer=values.words(0x00080070),
        model=values.words(0x00081090),
        deidentified=values.text(PATIENT_IDENTITY_REMOVED) == "YES",
        rows=values.integer(0x00280010) or 0,
        columns=values.integer(0x00280011) or 0,
        n_frames=values.integer(NUMBER_OF_FRAMES) or 1,
        n_samples=values.integer(0x00280002) or 1,
        photometric=values.text(0x00280004),
        burned_in=values.text(BURNED_IN_ANNOTATION) == "YES",
        pixels=pixels,
    )


def _pixel_place(path: Path, data: Any, values: Elements, finder: _PixelFinder) -> PixelPlace | None:
    """None where there are no integer pixels: they are missing, empty, or floating-point numbers."""
    if finder.tag != INTEGER_PIXELS or finder.length == 0:
        return None
    allocated = values.integer(0x00280100) or 0
    stored = values.integer(0x00280101) or allocated
    high_bit = values.integer(0x00280102)
    syntax = str(data.file_meta.get("TransferSyntaxUID") or "")
    deflated = syntax == DEFLATED
    missing = 0
    if finder.length != UNDEFINED_LENGTH and not deflated:
        count = 1
        for tag in (0x00280010, 0x00280011):
            count *= values.integer(tag) or 0
        count *= (values.integer(0x00280002) or 1) * (values.integer(NUMBER_OF_FRAMES) or 1)
        there = min(finder.length, file_size(path) - finder.offset)
        missing = max(0, (count * allocated + 7) // 8 - there)
    return PixelPlace(
        syntax=syntax,
        offset=None if deflated else finder.offset,
        length=finder.length,
        missing_bytes=missing,
        little_endian=data.original_encoding[1] is not False,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=values.integer(0x00280103) == 1,
        padding=values.integer(0x00280120),
    )
