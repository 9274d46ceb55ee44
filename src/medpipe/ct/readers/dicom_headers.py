"""What intake needs of each DICOM file's header, read without the pixels."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREAMBLE_BYTES = 128
"""Length of the preamble before the letters ``DICM`` (DICOM PS3.10, 7.1)."""

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
# fmt: off
OTHER_SUFFIXES = frozenset({
    ".mhd", ".raw", ".zraw", ".nii", ".npy", ".npz", ".b2nd", ".csv", ".tsv", ".xls", ".xlsx", ".parquet", ".sqlite",
    ".db", ".xml", ".json", ".yml", ".yaml", ".txt", ".md", ".log", ".html", ".pdf", ".png", ".jpg", ".jpeg", ".gz",
    ".zip", ".whl", ".py",
})
# fmt: on
"""Endings of files that are never opened as DICOM; any other name is looked into."""

GROUP_8_LITTLE_ENDIAN = b"\x08\x00"
"""First bytes of a data set that was stored without preamble and meta information."""

HEADER_TAGS = [
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "Modality",
    "PatientID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ConvolutionKernel",
]


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One DICOM file. Position and orientation after DICOM PS3.3 C.7.6.2.

    Attributes:
        file: The file.
        series_uid: Empty where the file could not be read.
        sop_uid: The file's own identity; two files with one are copies.
        modality: "CT" for what is wanted.
        patient_id: May be empty.
        rows: Height in pixels, 0 where there are none.
        columns: Width in pixels.
        n_frames: More than 1 in a multi-frame file.
        n_samples: Values a pixel; 3 for colour.
        position_mm: World (x, y, z) of the first pixel's centre.
        orientation: Unit vectors along a row and down a column, six numbers.
        pixel_spacing_mm: Distance of rows, distance of columns.
        kernel: Reconstruction kernel.
        error: What kept the file from being read.
    """

    file: Path
    series_uid: str = ""
    sop_uid: str = ""
    modality: str = ""
    patient_id: str = ""
    rows: int = 0
    columns: int = 0
    n_frames: int = 1
    n_samples: int = 1
    position_mm: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    pixel_spacing_mm: tuple[float, ...] | None = None
    kernel: str | None = None
    error: str | None = None


def dicom_candidates(files: Sequence[Path]) -> list[Path]:
    """The files that may be DICOM, by their first bytes or, failing that, by their name."""
    return [file for file in files if file.suffix.lower() not in OTHER_SUFFIXES and _may_be_dicom(file)]


def _may_be_dicom(file: Path) -> bool:
    if file.suffix.lower() in DICOM_SUFFIXES:
        return True
    with file.open("rb") as stream:
        start = stream.read(PREAMBLE_BYTES + 4)
    return start[PREAMBLE_BYTES:] == b"DICM" or start.startswith(GROUP_8_LITTLE_ENDIAN)


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


def read_headers(files: Sequence[Path]) -> list[SliceHeader]:
    """The header of each file; one that cannot be read comes back with its ``error``."""
    with lenient_reading():
        return [_read_header(file) for file in files]


def _read_header(file: Path) -> SliceHeader:
    import pydicom

    try:
        return slice_header(file, pydicom.dcmread(file, stop_before_pixels=True, specific_tags=HEADER_TAGS, force=True))
    except Exception as error:  # pydicom fails on broken files in many ways; each is a file that cannot be read
        return SliceHeader(file, error=f"{type(error).__name__}: {error}"[:200])


def slice_header(file: Path, data: Any) -> SliceHeader:
    """What intake needs of a data set that was read.

    Args:
        file: Where it was read from.
        data: A ``pydicom.Dataset``.
    """
    if not (series_uid := str(data.get("SeriesInstanceUID") or "")):
        return SliceHeader(file, error="it names no series")
    return SliceHeader(
        file=file,
        series_uid=series_uid,
        sop_uid=str(data.get("SOPInstanceUID") or file),
        modality=str(data.get("Modality") or ""),
        patient_id=str(data.get("PatientID") or ""),
        rows=int(data.get("Rows") or 0),
        columns=int(data.get("Columns") or 0),
        n_frames=int(data.get("NumberOfFrames") or 1),
        n_samples=int(data.get("SamplesPerPixel") or 1),
        position_mm=_numbers(data.get("ImagePositionPatient"), 3),
        orientation=_numbers(data.get("ImageOrientationPatient"), 6),
        pixel_spacing_mm=_numbers(data.get("PixelSpacing"), 2),
        kernel=_text(data.get("ConvolutionKernel")),
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str | bytes) or len(value) != count:
        return None
    return tuple(float(number) for number in value)


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return str(value) if isinstance(value, str) else "\\".join(map(str, value))
