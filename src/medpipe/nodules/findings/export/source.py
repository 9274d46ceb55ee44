"""The scan that findings were made in, as it lies in the raw files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medpipe.ct.geometry import Geometry
from medpipe.ct.readers import dicom, find_reader
from medpipe.ct.readers.archive import open_file
from medpipe.ct.readers.dicom_headers import lenient_reading
from medpipe.ct.readers.dicom_records import SliceHeader
from medpipe.ct.readers.dicom_stack import stack_geometry

DICOM_READER = "dicom"
"""Name of the reader whose scans have a study to join."""

EMPTY_ATTRIBUTES = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Of the patient and the study, type 2 (PS3.3 C.7.1.1 and C.7.2.1): they must be there and may be empty."""

NEEDED_ATTRIBUTES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID")
"""Without these nothing can refer to an image or share its coordinates."""


class NoStudyError(ValueError):
    """DICOM objects cannot join the source; the message is a sentence without names of files or patients."""


@dataclass(frozen=True)
class SourceScan:
    """A scan as it lies in the files.

    Attributes:
        geometry: Its grid; under gantry tilt the axes are not at right angles.
        slices: Headers of its DICOM slices along the array's z axis; empty for other formats.
    """

    geometry: Geometry
    slices: tuple[SliceHeader, ...] = ()


@dataclass(frozen=True)
class SourceImages:
    """The DICOM images of a scan.

    Attributes:
        data: Headers (``pydicom.Dataset``) along the array's z axis, or the one multi-frame image.
        frames: For a multi-frame image the frame, from 0, of every slice along z; None for single-frame images.
    """

    data: Sequence[Any]
    frames: tuple[int, ...] | None = None

    def at(self, slice_index: int) -> tuple[str, str, int | None]:
        """SOP class and instance uid of the image of a slice, and its frame number, from 1, in a multi-frame image."""
        image = self.data[0] if self.frames else self.data[slice_index]
        frame = self.frames[slice_index] + 1 if self.frames else None
        return str(image.SOPClassUID), str(image.SOPInstanceUID), frame


def open_source(raw: Path, location: Mapping[str, Any]) -> SourceScan:
    """A scan of the raw folder.

    Args:
        raw: The raw folder.
        location: Of the scan (``medpipe.ct.identity.LOCATION_COLUMNS``).

    Raises:
        ScanReadError: If it cannot be read any more.
    """
    reader, path, series_uid = location["reader"], location["path"], location["source_series_uid"]
    if reader == DICOM_READER:
        slices = dicom.read_stack(raw, path, series_uid)
        return SourceScan(stack_geometry(slices), tuple(slices))
    return SourceScan(find_reader(reader).read_volume(raw, path, series_uid).geometry)


def read_images(slices: Sequence[SliceHeader]) -> SourceImages:
    """The DICOM headers of a scan without their pixels.

    Args:
        slices: Along the array's z axis.

    Raises:
        NoStudyError: If nothing could refer to the images.
    """
    import pydicom

    files = list(dict.fromkeys(header.file.path for header in slices))
    several_frames = any(header.file.n_frames > 1 for header in slices)
    if several_frames and len(files) > 1:
        raise NoStudyError("The series is made of several multi-frame files.")
    data = []
    with lenient_reading():
        for file in files:
            with open_file(file) as stream:
                data.append(pydicom.dcmread(stream, stop_before_pixels=True, force=True))
    for image in data:
        if missing := [name for name in NEEDED_ATTRIBUTES if not image.get(name)]:
            raise NoStudyError(f"The images of the series lack {', '.join(missing)}.")
        for name in EMPTY_ATTRIBUTES:
            if name not in image:
                setattr(image, name, None)
    if len({image.SOPInstanceUID for image in data}) < len(data):
        raise NoStudyError("Several images of the series have one SOP instance uid.")
    return SourceImages(data, tuple(header.frame for header in slices) if several_frames else None)
