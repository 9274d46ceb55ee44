"""Where the voxels of a scan lie in the world: one value object for every conversion.

World coordinates are DICOM patient coordinates in millimetres (LPS: +x to the patient's left, +y to the back, +z to
the head; DICOM PS3.3 C.7.6.2.1.1). Arrays are indexed (z, y, x), 0-based; a voxel's coordinate is that of its centre.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ORTHOGONAL_TOLERANCE = 1e-3
"""Largest cosine between two axes that count as orthogonal; written direction cosines have few digits."""

IDENTITY_DIRECTION = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Geometry:
    """Grid of a scan.

    Attributes:
        shape_zyx: Number of voxels along (z, y, x).
        spacing_zyx_mm: Distance of neighbouring voxel centres along (z, y, x).
        origin_xyz_mm: World LPS coordinates of the centre of voxel (0, 0, 0).
        direction: 3 x 3, rows are world (x, y, z), columns the unit vectors of the index axes (x, y, z), as
            ``numpy.reshape(SimpleITK.Image.GetDirection(), (3, 3))``. Under gantry tilt the third column is not at
            right angles to the others (see `is_orthogonal`).
    """

    shape_zyx: tuple[int, int, int]
    spacing_zyx_mm: tuple[float, float, float]
    origin_xyz_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[tuple[float, float, float], ...] = IDENTITY_DIRECTION

    @cached_property
    def _matrix(self) -> FloatArray:
        """3 x 3: index steps (x, y, z) to world millimetres."""
        return np.asarray(self.direction, dtype=np.float64) * np.asarray(self.spacing_zyx_mm[::-1], dtype=np.float64)

    @cached_property
    def _inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self._matrix), dtype=np.float64)

    def to_world(self, points_zyx: npt.ArrayLike) -> FloatArray:
        """Voxel indices, n x 3 (z, y, x), to world millimetres, n x 3 (x, y, z)."""
        points = np.asarray(points_zyx, dtype=np.float64).reshape(-1, 3)
        return points[:, ::-1] @ self._matrix.T + np.asarray(self.origin_xyz_mm)

    def to_voxel(self, points_xyz: npt.ArrayLike) -> FloatArray:
        """World millimetres, n x 3 (x, y, z), to continuous voxel indices, n x 3 (z, y, x)."""
        points = np.asarray(points_xyz, dtype=np.float64).reshape(-1, 3)
        return ((points - np.asarray(self.origin_xyz_mm)) @ self._inverse.T)[:, ::-1]

    @property
    def is_orthogonal(self) -> bool:
        """Whether the axes are at right angles; they are not in a stack of slices taken under gantry tilt."""
        columns = np.asarray(self.direction)
        return bool(np.allclose(columns.T @ columns, np.eye(3), atol=ORTHOGONAL_TOLERANCE))

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel, of a sheared grid as well."""
        return float(abs(np.linalg.det(self._matrix)))

    def contains(self, points_xyz: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each world point lies inside the volume (within half a voxel of its outermost centres)."""
        voxels = self.to_voxel(points_xyz)
        inside = (voxels >= -0.5) & (voxels <= np.asarray(self.shape_zyx) - 0.5)
        return np.asarray(inside.all(axis=1))

    def crop(self, start_zyx: tuple[int, int, int], shape_zyx: tuple[int, int, int]) -> "Geometry":
        """Geometry of the sub-grid that starts at voxel ``start_zyx`` (it may start or end outside this grid)."""
        origin = self.to_world([start_zyx])[0]
        return Geometry(tuple_of_3(shape_zyx, int), self.spacing_zyx_mm, tuple_of_3(origin, float), self.direction)

    @property
    def world_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest world (x, y, z) over the eight corner voxels' centres."""
        last = np.asarray(self.shape_zyx) - 1
        corners = np.array(np.meshgrid(*[(0, n) for n in last], indexing="ij")).reshape(3, -1).T
        world = self.to_world(corners)
        return world.min(axis=0), world.max(axis=0)

    @classmethod
    def from_sitk(cls, image: Any) -> "Geometry":
        """Geometry of a three-dimensional ``SimpleITK.Image`` (or ``ImageFileReader`` with its header read)."""
        rows = np.reshape(image.GetDirection(), (3, 3))
        return cls(
            tuple_of_3(image.GetSize()[::-1], int),
            tuple_of_3(image.GetSpacing()[::-1], float),
            tuple_of_3(image.GetOrigin(), float),
            tuple(tuple_of_3(row, float) for row in rows),
        )

    def apply_to_sitk(self, image: Any) -> Any:
        """Gives a ``SimpleITK.Image`` of the same shape this grid's place in the world, and returns it."""
        image.SetSpacing(self.spacing_zyx_mm[::-1])
        image.SetOrigin(self.origin_xyz_mm)
        image.SetDirection([value for row in self.direction for value in row])
        return image

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "shape_zyx": list(self.shape_zyx),
            "spacing_zyx_mm": list(self.spacing_zyx_mm),
            "origin_xyz_mm": list(self.origin_xyz_mm),
            "direction": [list(row) for row in self.direction],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Geometry":
        """Inverse of ``to_dict``."""
        return cls(
            tuple_of_3(data["shape_zyx"], int),
            tuple_of_3(data["spacing_zyx_mm"], float),
            tuple_of_3(data["origin_xyz_mm"], float),
            tuple(tuple_of_3(row, float) for row in data["direction"]),
        )


def tuple_of_3(values: Any, kind: type) -> Any:
    """Three values as a tuple of Python numbers.

    Raises:
        ValueError: If there are not exactly three.
    """
    result = tuple(kind(value) for value in values)
    if len(result) != 3:
        raise ValueError(f"three values expected, got {len(result)}: {result}")
    return result
