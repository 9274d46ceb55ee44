"""Trilinear resampling of int16 Hounsfield units, on one core, an axis-aligned grid at a time.

ITK's own int16 resampling truncates toward zero, a bias of half a unit; here the sum is taken in float32 and
rounded. Orientation comes first: it decides which voxel the new grid starts from.
"""

from dataclasses import replace

import numba
import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.volume import Volume

Int16Array = NDArray[np.int16]

GRID_EPSILON = 1e-6
"""Slack, in voxels, with which the last voxel of a grid still counts as inside."""


def to_canonical(volume: Volume) -> Volume:
    """Permutes and flips the axes so that they run to the left, the back and the head as nearly as they can.

    Args:
        volume: In any orientation; nothing is interpolated.

    Returns:
        The same voxels at the same places, contiguous in memory; the array is copied only if its order changes.
    """
    geometry, order, flipped = canonical_axes(volume.geometry)
    array = np.flip(volume.array.transpose(order), axis=flipped)
    return Volume(np.ascontiguousarray(array), geometry)


def canonical_axes(geometry: Geometry) -> tuple[Geometry, tuple[int, ...], tuple[int, ...]]:
    """The grid after permuting and flipping to canonical axes, and how an array gets there.

    Returns:
        The grid; the order in which to transpose the array's axes; which of the transposed axes to flip.
    """
    direction = np.asarray(geometry.direction)
    world_of_axis = _nearest_axes(direction)
    order_xyz = [int(np.flatnonzero(world_of_axis == world)[0]) for world in range(3)]
    order = tuple(2 - order_xyz[2 - axis] for axis in range(3))
    shape = [geometry.shape_zyx[axis] for axis in order]
    spacing = [geometry.spacing_zyx_mm[axis] for axis in order]
    columns = direction[:, order_xyz]
    origin = np.asarray(geometry.origin_xyz_mm)
    flipped = tuple(2 - world for world in range(3) if columns[world, world] < 0)
    for axis in flipped:
        origin = origin + columns[:, 2 - axis] * spacing[axis] * (shape[axis] - 1)
        columns[:, 2 - axis] *= -1
    canonical = Geometry(
        tuple_of_3(shape, int),
        tuple_of_3(spacing, float),
        tuple_of_3(origin, float),
        tuple(tuple_of_3(row, float) for row in columns + 0.0),
    )
    return canonical, order, flipped


def _nearest_axes(direction: NDArray[np.float64]) -> NDArray[np.int64]:
    """The world axis (0 x, 1 y, 2 z) that each index axis runs along, every one taken once, the clearest first."""
    strength = np.abs(direction).copy()
    nearest = np.zeros(3, dtype=np.int64)
    for _ in range(3):
        world, axis = np.unravel_index(int(np.argmax(strength)), (3, 3))
        nearest[axis] = world
        strength[world, :] = -1.0
        strength[:, axis] = -1.0
    return nearest


def isotropic(geometry: Geometry, spacing_mm: float) -> Geometry:
    """The grid of ``spacing_mm`` that starts at the same voxel centre and ends inside the given one."""
    shape = [
        int(np.floor((size - 1) * spacing / spacing_mm + GRID_EPSILON)) + 1
        for size, spacing in zip(geometry.shape_zyx, geometry.spacing_zyx_mm, strict=True)
    ]
    return replace(geometry, shape_zyx=tuple_of_3(shape, int), spacing_zyx_mm=(spacing_mm,) * 3)


def resample(volume: Volume, target: Geometry) -> Int16Array:
    """Trilinear interpolation on another grid with the same axes.

    Args:
        volume: Source. Values below -1024 HU (padding) should have been clamped.
        target: Where values are wanted; beyond the outermost voxel centres the nearest one is repeated.

    Returns:
        int16, shape of ``target`` (z, y, x).

    Raises:
        ValueError: If the axes of the two grids differ.
    """
    if not np.allclose(volume.geometry.direction, target.direction, atol=1e-6):
        raise ValueError("source and target must have the same axes; use to_canonical on both first")
    start = volume.geometry.to_voxel([target.origin_xyz_mm])[0]
    step = np.asarray(target.spacing_zyx_mm) / np.asarray(volume.geometry.spacing_zyx_mm)
    axes = [
        _axis(float(first), float(stride), count, length)
        for first, stride, count, length in zip(start, step, target.shape_zyx, volume.array.shape, strict=True)
    ]
    (z0, wz), (y0, wy), (x0, wx) = axes
    return _interpolate(volume.array, z0, wz, y0, wy, x0, wx)


def _axis(first: float, stride: float, count: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lower neighbour and weight of the upper one for ``count`` samples along an axis of ``length`` voxels."""
    place = np.clip(first + stride * np.arange(count), 0.0, length - 1.0)
    lower = np.minimum(place.astype(np.int64), max(length - 2, 0))
    return lower, (place - lower).astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate(array, z0, wz, y0, wy, x0, wx):  # type: ignore[no-untyped-def]  # pragma: no cover
    depth, height, width = array.shape
    low, high = x0[0], min(x0[-1] + 2, width)
    out = np.empty((z0.size, y0.size, x0.size), np.int16)
    row = np.empty(width + 1, np.float32)
    for k in range(z0.size):
        lower, upper = z0[k], min(z0[k] + 1, depth - 1)
        for j in range(y0.size):
            near, far = y0[j], min(y0[j] + 1, height - 1)
            a = (np.float32(1) - wz[k]) * (np.float32(1) - wy[j])
            b = (np.float32(1) - wz[k]) * wy[j]
            c = wz[k] * (np.float32(1) - wy[j])
            d = wz[k] * wy[j]
            for i in range(low, high):
                row[i] = (
                    a * array[lower, near, i]
                    + b * array[lower, far, i]
                    + c * array[upper, near, i]
                    + d * array[upper, far, i]
                )
            row[high] = row[high - 1]
            for i in range(x0.size):
                left = row[x0[i]]
                out[k, j, i] = np.int16(np.floor(left + wx[i] * (row[x0[i] + 1] - left) + np.float32(0.5)))
    return out


def block_means(volume: Volume, spacing_mm: float) -> Volume:
    """A coarse volume: means over whole blocks of voxels about ``spacing_mm`` wide.

    Args:
        volume: Source; what is left over at the far ends is dropped.
        spacing_mm: Width wanted; axes that are already coarser keep their spacing.
    """
    factors = [max(1, round(spacing_mm / spacing)) for spacing in volume.geometry.spacing_zyx_mm]
    factors = [min(factor, size) for factor, size in zip(factors, volume.array.shape, strict=True)]
    array = _block_means(volume.array, *factors)
    origin = volume.geometry.to_world([[(factor - 1) / 2 for factor in factors]])[0]
    spacing = [s * factor for s, factor in zip(volume.geometry.spacing_zyx_mm, factors, strict=True)]
    geometry = Geometry(
        tuple_of_3(array.shape, int),
        tuple_of_3(spacing, float),
        tuple_of_3(origin, float),
        volume.geometry.direction,
    )
    return Volume(array, geometry)


@numba.njit(cache=True, nogil=True)
def _block_means(array, fz, fy, fx):  # type: ignore[no-untyped-def]  # pragma: no cover
    depth, height, width = array.shape[0] // fz, array.shape[1] // fy, array.shape[2] // fx
    out = np.empty((depth, height, width), np.int16)
    count = fz * fy * fx
    row = np.empty(array.shape[2], np.int32)
    for k in range(depth):
        for j in range(height):
            row[:] = 0
            for z in range(k * fz, (k + 1) * fz):
                for y in range(j * fy, (j + 1) * fy):
                    for i in range(row.size):
                        row[i] += array[z, y, i]
            for i in range(width):
                out[k, j, i] = row[i * fx : (i + 1) * fx].sum() // count
    return out
