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
Triple = tuple[float, float, float]

ORTHOGONAL_TOLERANCE = 1e-3
"""Largest cosine between two axes that count as orthogonal; written direction cosines have few digits."""

SINGULAR_TOLERANCE = 1e-3
"""Smallest volume spanned by three unit axes that counts as a grid; 45 degrees of gantry tilt leave 0.7."""

IDENTITY_DIRECTION = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""DICOM's left-posterior-superior to NIfTI's right-anterior-superior, and back: x and y change their sign."""


@dataclass(frozen=True)
class _Box:
    """Corners of an axis-aligned box; never used by itself: a subclass says in which coordinates.

    Raises:
        ValueError: If a corner is not finite, or the box is turned inside out.
    """

    low: Triple
    high: Triple

    def __post_init__(self) -> None:
        low, high = np.asarray(self.low), np.asarray(self.high)
        if low.shape != (3,) or high.shape != (3,) or not (np.isfinite([low, high]).all() and (low <= high).all()):
            raise ValueError(f"a box needs three finite coordinates a corner, low <= high; got {self.low}, {self.high}")

    @property
    def centre(self) -> Triple:
        """Midpoint, axes as in the corners."""
        return tuple_of_3((np.asarray(self.low) + np.asarray(self.high)) / 2, float)

    @property
    def size(self) -> Triple:
        """Edge lengths, axes as in the corners."""
        return tuple_of_3(np.asarray(self.high) - np.asarray(self.low), float)

    @property
    def _corners(self) -> FloatArray:
        """All eight, 8 x 3."""
        return np.array(np.meshgrid(*zip(self.low, self.high, strict=True), indexing="ij")).reshape(3, 8).T


@dataclass(frozen=True)
class WorldBox(_Box):
    """Box along the patient's axes; corners, centre and size are world LPS (x, y, z) in millimetres."""

    @classmethod
    def around(cls, centre_xyz_mm: npt.ArrayLike, size_mm: npt.ArrayLike) -> "WorldBox":
        """The box of a finding: its centre and its size along (x, y, z), or one size for all axes (a diameter)."""
        centre, half = np.asarray(centre_xyz_mm, dtype=np.float64), np.asarray(size_mm, dtype=np.float64) / 2
        return cls(tuple_of_3(centre - half, float), tuple_of_3(centre + half, float))


@dataclass(frozen=True)
class VoxelBox(_Box):
    """Box along the axes of a grid; corners, centre and size are continuous indices (z, y, x).

    Voxel k reaches from k - 0.5 to k + 0.5, so a box around whole voxels has its corners at halves.
    """

    @classmethod
    def of_voxels(cls, start_zyx: npt.ArrayLike, shape_zyx: npt.ArrayLike) -> "VoxelBox":
        """The box around ``shape_zyx`` whole voxels from voxel ``start_zyx`` on, outer edges included."""
        start = np.asarray(start_zyx, dtype=np.float64) - 0.5
        return cls(tuple_of_3(start, float), tuple_of_3(start + np.asarray(shape_zyx), float))

    def slices(self, shape_zyx: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        """Index of the voxels, of an array of this shape, whose centres lie in the box; empty where there is none."""
        first = np.clip(np.ceil(self.low), 0, shape_zyx).astype(int)
        stop = np.clip(np.floor(self.high).astype(int) + 1, first, shape_zyx)
        z, y, x = (slice(int(start), int(end)) for start, end in zip(first, stop, strict=True))
        return z, y, x


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

    def to_world_box(self, box: VoxelBox) -> WorldBox:
        """The smallest box along the patient's axes that holds a box of voxels."""
        corners = self.to_world(box._corners)
        return WorldBox(tuple_of_3(corners.min(axis=0), float), tuple_of_3(corners.max(axis=0), float))

    def to_voxel_box(self, box: WorldBox) -> VoxelBox:
        """The smallest box along the grid's axes that holds a box of the world."""
        corners = self.to_voxel(box._corners)
        return VoxelBox(tuple_of_3(corners.min(axis=0), float), tuple_of_3(corners.max(axis=0), float))

    @property
    def box(self) -> VoxelBox:
        """The whole grid, the outermost voxels' edges included."""
        return VoxelBox.of_voxels((0, 0, 0), self.shape_zyx)

    @property
    def affine_lps(self) -> FloatArray:
        """4 x 4: voxel index (x, y, z, 1) to world LPS (x, y, z, 1) in millimetres."""
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = self._matrix, self.origin_xyz_mm
        return affine

    @property
    def affine_ras(self) -> FloatArray:
        """4 x 4: voxel index (x, y, z, 1) to world RAS (x, y, z, 1) in millimetres, as nibabel and NIfTI have it."""
        return np.asarray(LPS_TO_RAS @ self.affine_lps)

    @classmethod
    def from_affine_ras(cls, affine: npt.ArrayLike, shape_zyx: tuple[int, int, int]) -> "Geometry":
        """Geometry of a ``nibabel`` image, or of any other with NIfTI's convention.

        Args:
            affine: 4 x 4: voxel index (x, y, z, 1) to world RAS (x, y, z, 1) in millimetres; it may shear.
            shape_zyx: Number of voxels along (z, y, x): nibabel's ``shape[:3]`` the other way round.

        Raises:
            ValueError: If the matrix is not 4 x 4, not finite or not affine, or has axes of no length or in a plane.
        """
        ras = np.asarray(affine, dtype=np.float64).reshape(4, 4)
        spacing = np.linalg.norm(ras[:3, :3], axis=0)
        if not np.isfinite(ras).all() or not np.array_equal(ras[3], (0, 0, 0, 1)) or not (spacing > 0).all():
            raise ValueError("the affine must be finite, end in the row 0 0 0 1 and have no axis of length 0")
        lps = LPS_TO_RAS @ ras + 0.0
        direction = lps[:3, :3] / spacing
        if abs(np.linalg.det(direction)) < SINGULAR_TOLERANCE:
            raise ValueError("the affine's axes lie in one plane")
        return cls(
            tuple_of_3(shape_zyx, int),
            tuple_of_3(spacing[::-1], float),
            tuple_of_3(lps[:3, 3], float),
            tuple(tuple_of_3(row, float) for row in direction),
        )

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
        z, y, x = (float(size - 1) for size in self.shape_zyx)
        world = self.to_world_box(VoxelBox((0.0, 0.0, 0.0), (z, y, x)))
        return np.asarray(world.low), np.asarray(world.high)

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
