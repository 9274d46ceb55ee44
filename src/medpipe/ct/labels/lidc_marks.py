"""What LIDC's readers drew: outlines in pixels, and their size and place in millimetres.

A reader's outline runs through the first pixels outside the nodule (Armato et al., "The Lung Image Database
Consortium", Medical Physics 2011), so the nodule is what lies strictly inside. With that rule centres and diameters
of single readers equal those LUNA16 lists in ``annotations_excluded.csv``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Contour:
    """One closed outline on one slice.

    Attributes:
        z_mm: World z of the slice.
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
        malignancy: Rating 1 to 5, for outlined nodules.
        texture: Rating 1 (ground glass) to 5 (solid), for outlined nodules.
    """

    reader: int | None
    contours: tuple[Contour, ...]
    outlined: bool
    malignancy: int | None = None
    texture: int | None = None


@dataclass(frozen=True)
class Measured:
    """A mark in the world.

    Attributes:
        mark: What was measured.
        centre_xyz_mm: Centroid of the volume inside the outlines.
        diameter_mm: Of the sphere with that volume; 0 for a point.
    """

    mark: Mark
    centre_xyz_mm: FloatArray
    diameter_mm: float


def measure(mark: Mark, geometry: Geometry) -> Measured:
    """Centroid and diameter of a mark.

    Args:
        mark: A reader's mark.
        geometry: Grid of the scan as it lies in the files (array axis z along the slices' normal).
    """
    voxels, weights = _inside(mark.contours)
    if weights.sum() <= 0:  # outlines of one or two pixels enclose nothing: take the outlines themselves
        voxels = np.concatenate([_with_z(contour.points_xy, contour.z_mm) for contour in mark.contours])
        weights = np.ones(len(voxels))
    column, row, z_mm = np.average(voxels, axis=0, weights=weights)
    origin_x, origin_y, _ = geometry.origin_xyz_mm
    k = geometry.to_voxel([(origin_x, origin_y, z_mm)])[0, 0]
    volume_mm3 = float(weights.sum()) * float(np.prod(geometry.spacing_zyx_mm))
    diameter_mm = (6 * volume_mm3 / np.pi) ** (1 / 3) if mark.outlined else 0.0
    return Measured(mark, geometry.to_world([(k, row, column)])[0], diameter_mm)


def _inside(contours: Sequence[Contour]) -> tuple[FloatArray, FloatArray]:
    """Pixels (column, row, z in mm) inside the outlines, weighted -1 where a hole is cut."""
    voxels, weights = [np.empty((0, 3))], [np.empty(0)]
    for contour in contours:
        pixels = pixels_inside(contour.points_xy)
        voxels.append(_with_z(pixels, contour.z_mm))
        weights.append(np.full(len(pixels), 1.0 if contour.included else -1.0))
    return np.concatenate(voxels), np.concatenate(weights)


def _with_z(points_xy: NDArray[np.int64], z_mm: float) -> FloatArray:
    return np.column_stack([points_xy.astype(np.float64), np.full(len(points_xy), z_mm)])


def pixels_inside(points_xy: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels strictly inside a closed polygon of pixel indices, by the even-odd rule.

    Args:
        points_xy: Corners (column, row), n x 2.

    Returns:
        m x 2 (column, row); what lies on the outline is not inside.
    """
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    x, y = pixels[:, :1], pixels[:, 1:]
    (x1, y1), (x2, y2) = points_xy.T, np.roll(points_xy, -1, axis=0).T
    side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)  # twice the area of pixel and edge, signed
    crosses = ((y1 <= y) != (y2 <= y)) & ((side > 0) == (y2 > y1))
    between = (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2))
    between &= (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    on_outline = ((side == 0) & between).any(axis=1)
    return np.asarray(pixels[(crosses.sum(axis=1) % 2 == 1) & ~on_outline])
