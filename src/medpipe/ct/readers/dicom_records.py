"""What is known of a DICOM file and of each of its slices before any pixel is read."""

from dataclasses import dataclass
from pathlib import Path

PLAIN_SYNTAXES = frozenset({"", *(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2"))})
"""Transfer syntaxes that leave pixels uncompressed: none given, implicit, explicit, big endian (PS3.5 A.1 to A.3)."""

DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of a data set that is deflated as a whole (PS3.5 A.5)."""

UNDEFINED_LENGTH = 0xFFFFFFFF
"""Length of pixel data that is encapsulated, as all compressed data are (PS3.5 A.4)."""

MAX_SLICE_PIXELS = 1 << 26
"""More pixels in a slice (8192 x 8192) than any CT has."""

MAX_VOXELS = 1 << 31
"""More voxels than a scan of 0.3 mm has from head to toe: 4 GiB."""

MAX_RESCALE = 1e6
"""Larger slopes and intercepts are nonsense: stored values have 16 bits, Hounsfield units fewer."""

TIME_TAGS = (0x00200100, 0x00209128, 0x00209241, 0x00209153, 0x00181060, 0x00200012, 0x00080032, 0x00080033)
"""What tells phases apart, best first: temporal position identifier and index, percentage and delay of the cardiac
phase, trigger time, acquisition number, acquisition time, content time."""


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where a file's pixels lie and how they are written (PS3.3 C.7.6.3).

    Attributes:
        syntax: Transfer syntax uid; empty where the file has no meta information.
        offset: First byte of the value in the file; None where the data set is deflated as a whole.
        length: Bytes of the value, or `UNDEFINED_LENGTH`.
        missing_bytes: Bytes that size and bit depth ask for and the file has not; 0 for compressed data.
        little_endian: Order of the bytes.
        bits_allocated: Bits of a value in the file.
        bits_stored: Bits of it that hold the value.
        high_bit: The highest of those.
        signed: Whether the values are two's complement.
        padding: Stored value of what lies outside the image (C.7.5.1.1.2), as an unsigned number; None without one.
    """

    syntax: str
    offset: int | None
    length: int
    missing_bytes: int
    little_endian: bool
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    padding: int | None


@dataclass(frozen=True, slots=True)
class FileHeader:
    """One DICOM file.

    Attributes:
        path: The file, perhaps in an archive (see `medpipe.ct.readers.archive`).
        series_uid: Series Instance UID.
        study_uid: Study Instance UID; may be empty.
        sop_uid: The file's own identity; two files with one are copies, unless an anonymiser gave it to all.
        sop_class: SOP Class UID: what kind of object it is.
        modality: "CT" for what is wanted.
        patient_id: May be empty.
        kernel: Reconstruction kernel, where it is known.
        manufacturer: Where it is known.
        model: Manufacturer's model name, where it is known.
        deidentified: Whether Patient Identity Removed (0012,0062) is YES.
        rows: Height in pixels, 0 where there are none.
        columns: Width in pixels.
        n_frames: More than 1 in a multi-frame file.
        n_samples: Values a pixel; 3 for colour.
        photometric: Photometric interpretation.
        burned_in: Whether Burned In Annotation (0028,0301) is YES: text that may name the patient lies in the pixels.
        pixels: None where the file has no pixel data.
    """

    path: Path
    series_uid: str
    study_uid: str
    sop_uid: str
    sop_class: str
    modality: str
    patient_id: str
    kernel: str | None
    manufacturer: str | None
    model: str | None
    deidentified: bool
    rows: int
    columns: int
    n_frames: int
    n_samples: int
    photometric: str
    burned_in: bool
    pixels: PixelPlace | None


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice: a file, or a frame of a multi-frame one. Position and orientation after DICOM PS3.3 C.7.6.2.

    Attributes:
        file: What it shares with the file's other frames.
        frame: Number of the frame, from 0.
        position_mm: World (x, y, z) of the first pixel's centre.
        orientation: Unit vectors along a row and down a column, six numbers.
        pixel_spacing_mm: Distance of rows, distance of columns.
        image_type: Values of Image Type or Frame Type.
        times: Values of `TIME_TAGS`; None where one is missing.
        order: Instance number and frame.
        slope: Hounsfield units a stored value; NaN where it cannot be read.
        intercept: Hounsfield units of the stored value 0.
    """

    file: FileHeader
    frame: int
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, ...] | None
    image_type: tuple[str, ...]
    times: tuple[float | None, ...]
    order: tuple[float, int]
    slope: float
    intercept: float

    @property
    def has_rescale(self) -> bool:
        """Whether slope and intercept make Hounsfield units of stored values."""
        return 0 < abs(self.slope) <= MAX_RESCALE and abs(self.intercept) <= MAX_RESCALE


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that looks like DICOM and cannot be read.

    Attributes:
        path: The file.
        error: What kept it from being read, without any text of the file.
    """

    path: Path
    error: str
