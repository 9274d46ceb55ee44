"""Stacks taken under gantry tilt made upright: every slice is moved within its own plane, by linear interpolation."""

import numba
import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import ORTHOGONAL_TOLERANCE, Geometry, tuple_of_3
from medpipe.ct.resample import PADDING_HU
from medpipe.ct.volume import Volume


class SkewedSlicesError(ValueError):
    """Rows and columns are not at right angles: no stack of scanner slices."""


def straighten(volume: Volume) -> Volume:
    """A volume whose slices are stacked at a slant on a grid with right angles.

    The planes of the slices, their spacing within the plane and the place of every voxel in the world stay; the third
    axis becomes the slices' normal, and the grid grows to the sides until all slices are on it (DICOM PS3.3
    C.7.6.2.1.1 gives every slice its own position; gantry tilt moves it along the table instead of the normal).

    Args:
        volume: Hounsfield units; array axis z runs from slice to slice. Values below `PADDING_HU` count as that.

    Returns:
        The volume itself where its axes are at right angles already; otherwise int16, interpolated in float32 and
        rounded, with `PADDING_HU` where no slice reached.

    Raises:
        SkewedSlicesError: If the axes within the slices are not at right angles.
    """
    geometry = volume.geometry
    if geometry.is_orthogonal:
        return volume
    upright, shifts = upright_grid(geometry)
    _, height, width = upright.shape_zyx
    array = _shift_slices(volume.array, np.int16(PADDING_HU), shifts, height, width)
    return Volume(array, upright)


def upright_grid(geometry: Geometry) -> tuple[Geometry, NDArray[np.float64]]:
    """The grid with right angles that holds all slices of a slanted stack.

    Args:
        geometry: Array axis z runs from slice to slice.

    Returns:
        The grid; where on it the first voxel of every slice lies, slices x 2 (rows, columns) in voxels.

    Raises:
        SkewedSlicesError: If the axes within the slices are not at right angles.
    """
    along_x, along_y, stacked = np.asarray(geometry.direction).T
    if abs(along_x @ along_y) > ORTHOGONAL_TOLERANCE:
        raise SkewedSlicesError(f"the rows and columns of the slices meet at a cosine of {along_x @ along_y:.4f}")
    along_y = along_y - (along_x @ along_y) * along_x  # written cosines have few digits
    along_y /= np.linalg.norm(along_y)
    normal = np.cross(along_x, along_y)
    normal *= np.sign(normal @ stacked)
    spacing_z, spacing_y, spacing_x = geometry.spacing_zyx_mm
    slices = np.arange(geometry.shape_zyx[0])[:, None]
    step = np.array([stacked @ along_y / spacing_y, stacked @ along_x / spacing_x]) * spacing_z
    shifts = slices * step
    low, high = np.floor(shifts.min(axis=0)), np.ceil(shifts.max(axis=0))
    depth, height, width = geometry.shape_zyx
    extent = (high - low).astype(int)
    origin = np.asarray(geometry.origin_xyz_mm) + low[0] * spacing_y * along_y + low[1] * spacing_x * along_x
    upright = Geometry(
        (depth, height + int(extent[0]), width + int(extent[1])),
        (float(spacing_z * (stacked @ normal)), spacing_y, spacing_x),
        tuple_of_3(origin, float),
        tuple(tuple_of_3(row, float) for row in np.column_stack([along_x, along_y, normal])),
    )
    return upright, shifts - low


@numba.njit(cache=True, nogil=True, fastmath=True)
def _shift_slices(array, floor, shifts, height, width):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Slices placed with a fractional shift; within half a voxel beyond a slice its edge is repeated, then padding."""
    depth, rows, columns = array.shape
    out = np.full((depth, height, width), floor, np.int16)
    blended = np.empty(columns + 1, np.float32)
    half = np.float32(0.5)
    for k in range(depth):
        down, right = shifts[k, 0], shifts[k, 1]
        for j in range(height):
            y = j - down
            if y < -0.5 or y > rows - 0.5:
                continue
            y = min(max(y, 0.0), rows - 1.0)
            near = int(y)
            far = min(near + 1, rows - 1)
            wy = np.float32(y - near)
            for i in range(columns):
                upper, lower = np.float32(max(array[k, near, i], floor)), np.float32(max(array[k, far, i], floor))
                blended[i] = upper + wy * (lower - upper)
            blended[columns] = blended[columns - 1]
            for i in range(max(0, int(np.ceil(right - 0.5))), min(width, int(np.floor(right + columns - 0.5)) + 1)):
                x = min(max(i - right, 0.0), columns - 1.0)
                left = int(x)
                wx = np.float32(x - left)
                value = blended[left] + wx * (blended[left + 1] - blended[left])
                out[k, j, i] = np.int16(np.floor(value + half))
    return out
