"""DICOM segmentations (PS3.3 A.51 and C.8.20), binary, fractional or label map, anywhere in the tree.

Frames are placed by their plane positions; their order and number say nothing. A fractional segment is what reaches
half of the largest value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LabelError, LabelJob
from medpipe.ct.labels.dicom_objects import SEGMENTATION, jobs_of_objects
from medpipe.ct.labels.grids import findings_of_voxels
from medpipe.ct.labels.planes import Plane, stack_grid
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers.archive import open_file
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.dicom_headers import lenient_reading
from medpipe.ct.readers.image_headers import MAX_VOXELS

MAX_FRAME_PIXELS = 2**24
"""Largest frame: 4096 x 4096, four times the finest CT."""

DAMAGED = "A DICOM segmentation beside the series is damaged."

_REQUIRED = ("SegmentSequence", "SharedFunctionalGroupsSequence")
_OPTIONAL = ("ReferencedSeriesSequence",)


@dataclass(frozen=True)
class _Frame:
    plane: int
    row: int
    column: int
    pixels: NDArray[np.bool_]


def discover(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> dict[str, list[LabelJob]]:
    """One job for every segmentation with a segment that may be a finding, for the series it belongs to.

    Args:
        raw: The raw folder.
        files: All files below it.
        scans: All scans found.
        params: Which segments are findings, by name.
    """

    def job_of(file: Path, header: Any) -> LabelJob | None:
        return partial(findings_of_seg, file, params=params.labels) if _wanted(header, params.labels) else None

    return jobs_of_objects(raw, files, scans, SEGMENTATION, _REQUIRED, _OPTIONAL, job_of, DAMAGED, "SEG")


def findings_of_seg(file: Path, geometry: Geometry, params: LabelParams) -> list[Finding]:
    """Findings of the segments whose label or type matches.

    Args:
        file: A DICOM segmentation.
        geometry: Grid of the scan as it lies in the files.
        params: Pattern of names, and whether parts of a segment are findings of their own.

    Raises:
        LabelError: If the segmentation is damaged, its frames make no grid, or it lies elsewhere than the scan.
    """
    try:
        with lenient_reading():
            return _findings(_read(file), geometry, params)
    except LabelError:
        raise
    except Exception as error:  # pydicom and highdicom fail on broken files in many ways
        raise LabelError(f"A DICOM segmentation of the series cannot be read ({type(error).__name__}).") from error


def _read(file: Path) -> Any:
    import pydicom
    from highdicom.seg import Segmentation

    with open_file(file) as stream:
        data = pydicom.dcmread(stream)
    if not 0 < int(data.Rows) * int(data.Columns) <= MAX_FRAME_PIXELS:
        raise LabelError("A DICOM segmentation of the series has frames of a size that no scan has.")
    return Segmentation.from_dataset(data, copy=False)


def _findings(data: Any, geometry: Geometry, params: LabelParams) -> list[Finding]:
    planes = [_plane(data, number) for number in range(int(data.NumberOfFrames))]
    grid, places = stack_grid(planes, (int(data.Rows), int(data.Columns)), geometry)
    findings = []
    for number, label in _wanted(data, params).items():
        frames = [frame for index in _frames_of(data, number) if (frame := _frame(data, index, number, places[index]))]
        if not frames:
            continue
        voxels, start = _stack(frames)
        part = grid.crop(start, voxels.shape)
        findings += findings_of_voxels(voxels, part, geometry, split=params.split_components, label=label)
    return findings


def _wanted(data: Any, params: LabelParams) -> Mapping[int, str]:
    """Number and label of the segments whose label or property type matches the pattern.

    Raises:
        LabelError: If a segment has neither.
    """
    pattern = re.compile(params.pattern, re.IGNORECASE)
    if not data.get("SegmentSequence"):
        raise LabelError(DAMAGED)
    found = {}
    for segment in data.SegmentSequence:
        label = str(segment.get("SegmentLabel", ""))
        types = [str(code.get("CodeMeaning", "")) for code in segment.get("SegmentedPropertyTypeCodeSequence") or ()]
        if not (label or types):  # each has both; a file that was cut has neither
            raise LabelError(DAMAGED)
        if any(pattern.search(text) for text in (label, *types)):
            found[int(segment.SegmentNumber)] = label or types[0]
    return found


def _groups(data: Any, index: int, name: str) -> Any:
    """The item of a functional group of a frame, its own or the shared one; None where there is neither."""
    own = data.PerFrameFunctionalGroupsSequence[index].get(name)
    shared = data.SharedFunctionalGroupsSequence[0].get(name) if data.get("SharedFunctionalGroupsSequence") else None
    items = own or shared
    return items[0] if items else None


def _plane(data: Any, index: int) -> Plane:
    position, orientation, measures = (
        _groups(data, index, f"{name}Sequence") for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures")
    )
    if position is None or orientation is None or measures is None:
        raise LabelError("A frame of a DICOM segmentation lacks its position, orientation or pixel spacing.")
    distance = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    return Plane(
        tuple(map(float, position.ImagePositionPatient)),
        tuple(map(float, orientation.ImageOrientationPatient)),
        tuple(map(float, measures.PixelSpacing)),
        float(distance) if distance else None,
    )


def _frames_of(data: Any, number: int) -> list[int]:
    """Indices of the frames of a segment; every frame of a label map may show it."""
    count = int(data.NumberOfFrames)
    if data.SegmentationType == "LABELMAP":
        return list(range(count))
    segments = (_groups(data, index, "SegmentIdentificationSequence") for index in range(count))
    return [index for index, item in enumerate(segments) if item and int(item.ReferencedSegmentNumber) == number]


def _frame(data: Any, index: int, number: int, plane: int) -> _Frame | None:
    """What a frame shows of a segment, cut out; None where it shows nothing."""
    stored = data.get_stored_frame(index, as_index=True)
    if data.SegmentationType == "LABELMAP":
        pixels = stored == number
    elif data.SegmentationType == "FRACTIONAL":
        pixels = 2 * stored.astype(np.int64) >= int(data.MaximumFractionalValue)
    else:
        pixels = stored != 0
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    box = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Frame(plane, int(rows[0]), int(columns[0]), box.copy())


def _stack(frames: Sequence[_Frame]) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
    """The frames of a segment as one array (z, y, x), and its first voxel in the grid of the frames."""
    starts = np.array([(frame.plane, frame.row, frame.column) for frame in frames])
    ends = starts + [(1, *frame.pixels.shape) for frame in frames]
    start = starts.min(axis=0)
    shape = ends.max(axis=0) - start
    if int(np.prod(shape)) > MAX_VOXELS:
        raise LabelError("A segment of a DICOM segmentation is larger than any scan.")
    voxels = np.zeros(shape, dtype=bool)
    for frame, (z, y, x) in zip(frames, (starts - start).tolist(), strict=True):
        height, width = frame.pixels.shape
        voxels[z, y : y + height, x : x + width] |= frame.pixels
    z, y, x = start.tolist()
    return voxels, (z, y, x)
