"""From single planes in the world to one grid, whatever their order and however many are missing between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.labels.base import LabelError

ON_SLICE = 0.1
"""Largest distance of a plane from a slice of the scan, in slices, with which it counts as lying on it."""

OFF_GRID = 0.25
"""Largest departure of a plane from its place in the grid, in its own distance of planes or pixels."""

OFF_STEP = 0.05
"""Largest departure of the smallest distance of planes from a multiple of the one that they tell, in steps."""

MAX_PLANES = 10_000
"""Most steps from the first plane to the last; a CT of a whole body at 0.5 mm has 4000 slices."""

SAME_PLANE_MM = 0.01
"""Planes closer than this are one."""

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine between planes."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """A frame's place in the world (DICOM PS3.3 C.7.6.16.2).

    Attributes:
        position_mm: World (x, y, z) of the first pixel's centre.
        orientation: Unit vectors along a row and down a column, six numbers.
        spacing_mm: Distance of rows, distance of columns.
        distance_mm: Of neighbouring planes, where it is known.
    """

    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    distance_mm: float | None


def stack_grid(planes: Sequence[Plane], shape: tuple[int, int], scan: Geometry) -> tuple[Geometry, list[int]]:
    """The grid that the planes lie in, and each plane's index in it.

    Planes on slices of the scan take the scan's step from slice to slice, so that two planes far apart are not taken
    for neighbours; others take the distance that they tell, or the smallest between them.

    Args:
        planes: At least one.
        shape: Rows and columns of each.
        scan: Grid of the scan as it lies in the files.

    Raises:
        LabelError: If the planes are not parallel, or do not lie at whole steps from each other.
    """
    values = np.array([(*plane.position_mm, *plane.orientation, *plane.spacing_mm) for plane in planes])
    if values.shape[1:] != (11,) or not np.isfinite(values).all() or (values[:, 9:] <= 0).any():
        raise LabelError("A frame names no position, orientation or pixel spacing in numbers.")
    if np.ptp(values[:, 3:9], axis=0).max() > ORIENTATION_TOLERANCE or np.ptp(values[:, 9:], axis=0).max() > 1e-3:
        raise LabelError("The frames of a segmentation differ in orientation or pixel spacing.")
    row, column = values[0, 3:6], values[0, 6:9]
    if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=0.01):
        raise LabelError("The frames of a segmentation have axes that are not at right angles.")
    positions = values[:, :3]
    step, indices = _steps(positions, np.cross(row, column), planes[0].distance_mm, scan)
    origin = positions[int(np.argmin(indices))]
    off = np.abs(positions - origin - indices[:, None] * step)
    length = float(np.linalg.norm(step))
    if off.max() > OFF_GRID * min(length, *values[0, 9:]):
        raise LabelError("The frames of a segmentation do not lie at even steps from each other.")
    direction = np.column_stack([row, column, step / length])
    spacing = (length, float(values[0, 9]), float(values[0, 10]))
    rows = tuple(tuple_of_3(line, float) for line in direction)
    grid = Geometry((int(indices.max()) + 1, *shape), spacing, tuple_of_3(origin, float), rows)
    return grid, [int(index) for index in indices]


def _steps(
    positions: FloatArray, normal: FloatArray, distance_mm: float | None, scan: Geometry
) -> tuple[FloatArray, NDArray[np.int64]]:
    """The vector from plane to plane, and the number of each plane from 0."""
    points = scan.to_world([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
    scan_step, *sides = points[1:] - points[0]
    slices = scan.to_voxel(positions)[:, 0]
    leaning = max(abs(float(normal @ side)) / float(np.linalg.norm(side)) for side in sides)
    on_slices = float(np.ptp(slices)) <= MAX_PLANES and np.abs(slices - np.rint(slices)).max() < ON_SLICE
    if leaning < ORIENTATION_TOLERANCE and on_slices:
        return scan_step, (np.rint(slices) - np.rint(slices).min()).astype(np.int64)
    heights = positions @ normal
    gaps = np.diff(np.sort(heights))
    gaps = gaps[gaps > SAME_PLANE_MM]
    usual = distance_mm
    if len(gaps):
        smallest = float(gaps.min())
        steps = smallest / distance_mm if distance_mm else 0.0
        usual = distance_mm if steps >= 1 - OFF_STEP and abs(steps - round(steps)) < OFF_STEP else smallest
    if not usual or not np.isfinite(usual) or usual <= 0:
        raise LabelError("The frames of a segmentation do not tell how far apart they are.")
    if float(np.ptp(heights)) > MAX_PLANES * usual:
        raise LabelError("The frames of a segmentation lie farther apart than the slices of any scan.")
    first, last = int(np.argmin(heights)), int(np.argmax(heights))
    indices = np.rint((heights - heights[first]) / usual).astype(np.int64)
    if indices[last] == 0:
        return normal * usual, indices
    return (positions[last] - positions[first]) / indices[last], indices
