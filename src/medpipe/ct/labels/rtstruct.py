"""RT structure sets (DICOM PS3.3 A.19, C.8.8.5 and C.8.8.6): outlines in the world, anywhere in the tree.

A voxel belongs to a region when its centre lies inside an odd number of the outlines of its plane: an outline within
another cuts a hole, and one that runs in and out again on a keyhole's path does so as well.
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
from medpipe.ct.labels.base import Finding, LabelError, LabelJob, LesionMask, cropped
from medpipe.ct.labels.dicom_objects import STRUCTURE_SET, jobs_of_objects
from medpipe.ct.labels.grids import findings_of_voxels
from medpipe.ct.labels.polygons import fill_even_odd
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers.archive import open_file
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.dicom_headers import lenient_reading

FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
"""Types of outlines that enclose something (C.8.8.6.3)."""

POINT = "POINT"

MAX_TILT_SLICES = 0.5
"""Largest departure of an outline from a slice of the scan, in slices, for it to be drawn on slices."""

SAME_PLANE_SLICES = 0.05
"""Outlines closer than this, in slices, lie in one plane."""

PLANE_DECIMALS = 4
"""Decimals of a plane's place in slices; the rounding of world coordinates is left out."""

MAX_GAP_MM = 6.0
"""Widest distance of planes that are outlines of one body; what lies farther apart is two bodies."""

FAR_VOXELS = 1e6
"""Places farther than this from the scan, in voxels, are damage."""

DAMAGED = "A DICOM structure set beside the series is damaged."

_REQUIRED = ("StructureSetROISequence",)
_OPTIONAL = ("ReferencedFrameOfReferenceSequence",)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class _Plane:
    """Outlines of one region in one plane: the plane's continuous slice index, and corners (column, row)."""

    slice: float
    outlines: list[FloatArray]


def discover(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> dict[str, list[LabelJob]]:
    """One job for every structure set with a region that may be a finding, for the series it belongs to.

    Args:
        raw: The raw folder.
        files: All files below it.
        scans: All scans found.
        params: Which regions are findings, by name.
    """

    def job_of(file: Path, header: Any) -> LabelJob | None:
        return partial(findings_of_rtstruct, file, params=params.labels) if _wanted(header, params.labels) else None

    return jobs_of_objects(raw, files, scans, STRUCTURE_SET, _REQUIRED, _OPTIONAL, job_of, DAMAGED, "RTSTRUCT")


def findings_of_rtstruct(file: Path, geometry: Geometry, params: LabelParams) -> list[Finding]:
    """Findings of the regions whose name matches.

    Args:
        file: A DICOM structure set.
        geometry: Grid of the scan as it lies in the files.
        params: Pattern of names, and whether parts of a region are findings of their own.

    Raises:
        LabelError: If the structure set is damaged, or its outlines do not lie in slices of the scan.
    """
    import pydicom

    try:
        with lenient_reading(), open_file(file) as stream:
            data = pydicom.dcmread(stream, specific_tags=["StructureSetROISequence", "ROIContourSequence"])
            names = _wanted(data, params)
            return [
                finding
                for region in data.get("ROIContourSequence") or ()
                if (name := names.get(int(region.ReferencedROINumber))) is not None
                for finding in _findings(region, geometry, params, name)
            ]
    except LabelError:
        raise
    except Exception as error:  # pydicom fails on broken files in many ways
        raise LabelError(f"A DICOM structure set of the series cannot be read ({type(error).__name__}).") from error


def _wanted(data: Any, params: LabelParams) -> Mapping[int, str]:
    """Number and name of the regions whose name matches the pattern."""
    pattern = re.compile(params.pattern, re.IGNORECASE)
    names = {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in data.get("StructureSetROISequence") or ()}
    return {number: name for number, name in names.items() if pattern.search(name)}


def _findings(region: Any, geometry: Geometry, params: LabelParams, name: str) -> list[Finding]:
    contours = [
        (str(contour.ContourGeometricType), _points(contour, geometry))
        for contour in region.get("ContourSequence") or ()
    ]
    found = [_place(points, geometry, name) for kind, points in contours if kind == POINT]
    outlines = [points for kind, points in contours if kind in FILLED]
    if not outlines:
        return found
    mask = _fill(_planes(outlines), geometry)
    if mask is None:  # all of it lies outside of the scan or between the centres of its voxels
        return [*found, _place(np.concatenate(outlines), geometry, name)]
    part = geometry.crop(mask.start_zyx, mask.voxels.shape)
    return found + findings_of_voxels(mask.voxels, part, geometry, split=params.split_components, label=name)


def _points(contour: Any, geometry: Geometry) -> FloatArray:
    """Corners of an outline as continuous voxels (z, y, x)."""
    values = np.atleast_1d(np.asarray(contour.ContourData, dtype=np.float64))
    if not values.size or values.size % 3 or not np.isfinite(values).all():
        raise LabelError("An outline of a DICOM structure set is not a list of places in the world.")
    points = geometry.to_voxel(values.reshape(-1, 3))
    if np.abs(points).max() > FAR_VOXELS:
        raise LabelError("An outline of a DICOM structure set lies far from the scan.")
    return points


def _place(points: FloatArray, geometry: Geometry, name: str) -> Finding:
    x, y, z = geometry.to_world([points.mean(axis=0)])[0].tolist()
    return Finding((x, y, z), label=name)


def _planes(outlines: Sequence[FloatArray]) -> list[_Plane]:
    """Outlines by plane, from the first slice on."""
    planes: list[_Plane] = []
    for points in sorted(outlines, key=lambda points: float(points[:, 0].mean())):
        middle = float(points[:, 0].mean())
        if np.abs(points[:, 0] - middle).max() > MAX_TILT_SLICES:
            raise LabelError("The outlines of a DICOM structure set do not lie in slices of the scan.")
        if not planes or middle - planes[-1].slice > SAME_PLANE_SLICES:
            planes.append(_Plane(middle, []))
        planes[-1].outlines.append(points[:, :0:-1])
    return planes


def _fill(planes: Sequence[_Plane], geometry: Geometry) -> LesionMask | None:
    """Voxels of a region: every slice takes the outlines of the nearest plane, if that stands for it."""
    depth, *shape = geometry.shape_zyx
    places = np.round([plane.slice for plane in planes], PLANE_DECIMALS)
    reach = _reach(places, geometry)
    corners = np.concatenate([outline for plane in planes for outline in plane.outlines])
    low = np.clip(np.floor(corners.min(axis=0)), 0, shape[::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low, shape[::-1]).astype(int)
    first = int(np.clip(np.ceil(places[0] - reach), 0, depth))
    last = int(np.clip(np.floor(places[-1] + reach) + 1, first, depth))
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    voxels = np.zeros((last - first, height, width), dtype=bool)
    between = (places[1:] + places[:-1]) / 2
    for k in range(first, last):
        nearest = int(np.searchsorted(between, k, side="right"))
        if -reach <= k - places[nearest] < reach:  # a slice midway between two planes counts for the second alone
            voxels[k - first] = fill_even_odd(planes[nearest].outlines, (height, width), (top, left))
    return cropped(voxels, (first, top, left)) if voxels.any() else None


def _reach(places: FloatArray, geometry: Geometry) -> float:
    """How far a plane stands for what lies beside it: half the way to the next, at least half a slice; in slices."""
    first, second = geometry.to_world([(0, 0, 0), (1, 0, 0)])
    slices_a_gap = MAX_GAP_MM / float(np.linalg.norm(second - first))
    gaps = np.diff(places)
    gaps = gaps[gaps <= slices_a_gap]
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    return max(0.5, usual / 2)
