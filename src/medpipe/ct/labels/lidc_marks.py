"""What LIDC's readers drew: outlines in pixels, and their voxels, size and place in millimetres.

A reader's outline runs through the first pixels outside the nodule (Armato et al., "The Lung Image Database
Consortium", Medical Physics 2011), so the nodule is what lies strictly inside. With that rule centres and diameters
of single readers equal those LUNA16 lists in ``annotations_excluded.csv``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LabelError, LesionMask, cropped
from medpipe.ct.labels.polygons import pixels_inside

FloatArray = NDArray[np.float64]

OUTSIDE_PIXELS = 1
"""How far an outline may lie outside of its image: it runs through the first pixels outside of what it encloses."""

MIN_STEP_MM = 0.01
"""Least change of world z from slice to slice with which a slice can be told by its z."""


MAX_VOXELS = 2**24
"""Most voxels inside the outlines of one mark: a ball of 150 mm at the finest resolution has fewer."""


@dataclass(frozen=True)
class Contour:
    """One closed outline on one slice.

    Attributes:
        z_mm: World z of the slice: that of its first pixel's centre.
        included: False for an outline that cuts a hole.
        points_xy: Pixel indices (column, row), n x 2, 0-based, not closed by repetition.
    """

    z_mm: float
    included: bool
    points_xy: NDArray[np.int64]


@dataclass(frozen=True)
class Mark:
    """One finding of one reader.

    Attributes:
        reader: Number of the reading session; None where it is not recorded.
        contours: Outlines; a single point for what was only pointed at.
        outlined: Whether the reader took it for a nodule of 3 mm or more and outlined it.
        ratings: 1 to 5 by the names in `medpipe.ct.labels.base.RATINGS`, for outlined nodules.
    """

    reader: int | None
    contours: tuple[Contour, ...]
    outlined: bool
    ratings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A mark in the world.

    Attributes:
        mark: What was measured.
        centre_xyz_mm: Centroid of the volume inside the outlines.
        diameter_mm: Of the sphere with that volume; 0 for a point.
        voxels_zyx: Voxels inside the outlines, n x 3 (z, y, x); those outside of the scan are left out.
    """

    mark: Mark
    centre_xyz_mm: FloatArray
    diameter_mm: float
    voxels_zyx: NDArray[np.int64]


def measure(mark: Mark, geometry: Geometry) -> Measured:
    """Centroid, diameter and voxels of a mark.

    Args:
        mark: A reader's mark.
        geometry: Grid of the scan as it lies in the files: array axes (z, y, x) are slice, row and column.

    Raises:
        LabelError: If an outline lies outside of the image, encloses more than any nodule, or its slice cannot be
            told by its z.
    """
    for contour in mark.contours:
        _check_inside_image(contour, geometry)
    voxels, weights = _inside(mark.contours, geometry)
    if weights.sum() <= 0:  # outlines of one or two pixels enclose nothing: take the outlines themselves
        voxels = np.concatenate([_with_slice(contour.points_xy, contour.z_mm, geometry) for contour in mark.contours])
        weights = np.ones(len(voxels))
    centre = geometry.to_world([np.average(voxels, axis=0, weights=weights)])[0]
    volume_mm3 = float(weights.sum()) * geometry.voxel_mm3
    diameter_mm = (6 * volume_mm3 / np.pi) ** (1 / 3) if mark.outlined else 0.0
    return Measured(mark, centre, diameter_mm, _set_voxels(voxels, weights, geometry))


def agreed_mask(measured: Sequence[Measured], fraction: float) -> LesionMask | None:
    """Voxels that at least a fraction of the outlines of one nodule hold.

    Where they overlap by less than that, it is the voxels that most of them hold, so that a nodule of the consensus
    is never without a mask.

    Args:
        measured: Outlines of one nodule, one a reader.
        fraction: 0 (any reader) to 1 (every reader).

    Returns:
        The mask, None where all of it lies outside of the scan.
    """
    voxels = np.concatenate([item.voxels_zyx for item in measured])
    if not len(voxels):
        return None
    start = voxels.min(axis=0)
    counts = np.zeros(voxels.max(axis=0) - start + 1, dtype=np.uint8)
    np.add.at(counts, tuple((voxels - start).T), 1)
    needed = max(1, int(np.ceil(fraction * len(measured))))
    return cropped(counts >= min(needed, int(counts.max())), start.tolist())


def slice_position(z_mm: float, geometry: Geometry) -> float:
    """Continuous slice index of a world z that stands for a slice by its first pixel (``ImagePositionPatient``).

    Under gantry tilt the z of other pixels of the slice is another; only the step from slice to slice counts.

    Raises:
        LabelError: If the slices do not follow each other along z, or z is no number.
    """
    first, second = geometry.to_world([(0, 0, 0), (1, 0, 0)])[:, 2]
    if abs(second - first) < MIN_STEP_MM or not np.isfinite(z_mm):
        raise LabelError("The marks name slices by their z, along which the slices of the series do not follow.")
    return float((z_mm - first) / (second - first))


def _check_inside_image(contour: Contour, geometry: Geometry) -> None:
    _, rows, columns = geometry.shape_zyx
    low, high = contour.points_xy.min(axis=0), contour.points_xy.max(axis=0)
    if low.min() < -OUTSIDE_PIXELS or high[0] >= columns + OUTSIDE_PIXELS or high[1] >= rows + OUTSIDE_PIXELS:
        raise LabelError(f"An outline reaches pixel {tuple(high.tolist())} of an image of {columns} x {rows} pixels.")


def _inside(contours: Sequence[Contour], geometry: Geometry) -> tuple[FloatArray, FloatArray]:
    """Voxels (z, y, x; z continuous) inside the outlines, weighted -1 where a hole is cut."""
    voxels, weights, count = [np.empty((0, 3))], [np.empty(0)], 0
    for contour in contours:
        pixels = pixels_inside(contour.points_xy)
        if (count := count + len(pixels)) > MAX_VOXELS:
            raise LabelError(f"The outlines of one mark enclose more than {MAX_VOXELS} voxels.")
        voxels.append(_with_slice(pixels, contour.z_mm, geometry))
        weights.append(np.full(len(pixels), 1.0 if contour.included else -1.0))
    return np.concatenate(voxels), np.concatenate(weights)


def _with_slice(points_xy: NDArray[np.int64], z_mm: float, geometry: Geometry) -> FloatArray:
    k = slice_position(z_mm, geometry)
    return np.column_stack([np.full(len(points_xy), k), points_xy[:, ::-1].astype(np.float64)])


def _set_voxels(voxels: FloatArray, weights: FloatArray, geometry: Geometry) -> NDArray[np.int64]:
    """Each voxel that more outlines include than exclude, once."""
    inside = (voxels > -0.5).all(axis=1) & (voxels < np.asarray(geometry.shape_zyx) - 0.5).all(axis=1)
    places, index = np.unique(np.rint(voxels[inside]).astype(np.int64), axis=0, return_inverse=True)
    return np.asarray(places[np.bincount(index.ravel(), weights[inside], minlength=len(places)) > 0])
