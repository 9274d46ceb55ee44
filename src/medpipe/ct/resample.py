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
UInt8Array = NDArray[np.uint8]

PADDING_HU = -1024
"""Scanners fill the corners outside the field of view with values below air (-2000 and the like)."""

TABLE_LENGTH = 2**16

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
        volume: Source. Values below `PADDING_HU` count as that.
        target: Where values are wanted; beyond the outermost voxel centres the nearest one is repeated.

    Returns:
        int16, shape of ``target`` (z, y, x).

    Raises:
        ValueError: If the axes of the two grids differ.
    """
    return np.asarray(_interpolate(volume.array, np.int16(PADDING_HU), *_axes(volume.geometry, target)))


def resample_through(volume: Volume, target: Geometry, table: UInt8Array) -> UInt8Array:
    """What `resample` gives, looked up in a table while it is at hand: the int16 result is never in memory.

    Args:
        volume: As in `resample`.
        target: As in `resample`.
        table: 65,536 values, for -32768 to 32767 HU.

    Returns:
        uint8, shape of ``target`` (z, y, x).

    Raises:
        ValueError: As in `resample`, or if the table is shorter.
    """
    if table.shape != (TABLE_LENGTH,):
        raise ValueError(f"a table of {TABLE_LENGTH} values expected, got the shape {table.shape}")
    axes = _axes(volume.geometry, target)
    return np.asarray(_interpolate_through(volume.array, np.int16(PADDING_HU), *axes, table))


def resample_mask(mask: NDArray[np.uint8], geometry: Geometry, target: Geometry) -> UInt8Array:
    """A mask on another grid with the same axes: 1 where its trilinear interpolation is at least a half.

    Args:
        mask: 0 or 1 (z, y, x).
        geometry: Its grid.
        target: As in `resample`.

    Returns:
        uint8, 0 or 1, shape of ``target`` (z, y, x).

    Raises:
        ValueError: As in `resample`.
    """
    return np.asarray(_interpolate_mask(mask, *_axes(geometry, target)))


def _axes(source: Geometry, target: Geometry) -> tuple[NDArray[np.int32] | NDArray[np.float32], ...]:
    """Lower neighbours and weights of the upper ones along z, y and x."""
    if not np.allclose(source.direction, target.direction, atol=1e-6):
        raise ValueError("source and target must have the same axes; use to_canonical on both first")
    start = source.to_voxel([target.origin_xyz_mm])[0]
    step = np.asarray(target.spacing_zyx_mm) / np.asarray(source.spacing_zyx_mm)
    sizes = zip(start.tolist(), step.tolist(), target.shape_zyx, source.shape_zyx, strict=True)
    return tuple(part for first, stride, count, length in sizes for part in _axis(first, stride, count, length))


def _axis(first: float, stride: float, count: int, length: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Lower neighbour and weight of the upper one for ``count`` samples along an axis of ``length`` voxels."""
    place = np.clip(first + stride * np.arange(count), 0.0, length - 1.0)
    lower = np.minimum(place.astype(np.int32), max(length - 2, 0)).astype(np.int32)
    return lower, (place - lower).astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _blend_row(array, floor, row, low, high, z, wz, y, wy):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Columns ``low`` to ``high`` between two slices and two rows; the last one is repeated behind them."""
    depth, height, _ = array.shape
    upper, far = min(z + 1, depth - 1), min(y + 1, height - 1)
    a = (np.float32(1) - wz) * (np.float32(1) - wy)
    b = (np.float32(1) - wz) * wy
    c = wz * (np.float32(1) - wy)
    d = wz * wy
    # Rows by themselves and clamped as floats: so the compiler makes the loop run on many columns at a time.
    first, second = array[z, y, low:high], array[z, far, low:high]
    third, fourth = array[upper, y, low:high], array[upper, far, low:high]
    least, line = np.float32(floor), row[low:high]
    for i in range(line.size):
        p, q, r, s = np.float32(first[i]), np.float32(second[i]), np.float32(third[i]), np.float32(fourth[i])
        p, q = (p if p > least else least), (q if q > least else least)
        r, s = (r if r > least else least), (s if s > least else least)
        line[i] = a * p + b * q + c * r + d * s
    row[high] = row[high - 1]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate(array, floor, z0, wz, y0, wy, x0, wx):  # type: ignore[no-untyped-def]  # pragma: no cover
    width = array.shape[2]
    low, high = x0[0], min(x0[-1] + 2, width)
    out = np.empty((z0.size, y0.size, x0.size), np.int16)
    row = np.empty(width + 1, np.float32)
    for k in range(z0.size):
        for j in range(y0.size):
            _blend_row(array, floor, row, low, high, z0[k], wz[k], y0[j], wy[j])
            line = out[k, j]
            for i in range(x0.size):
                left = row[x0[i]]
                line[i] = np.int16(np.floor(left + wx[i] * (row[x0[i] + 1] - left) + np.float32(0.5)))
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate_through(array, floor, z0, wz, y0, wy, x0, wx, table):  # type: ignore[no-untyped-def]  # pragma: no cover
    width = array.shape[2]
    low, high = x0[0], min(x0[-1] + 2, width)
    out = np.empty((z0.size, y0.size, x0.size), np.uint8)
    row = np.empty(width + 1, np.float32)
    rounded = np.empty(x0.size, np.int32)
    for k in range(z0.size):
        for j in range(y0.size):
            _blend_row(array, floor, row, low, high, z0[k], wz[k], y0[j], wy[j])
            for i in range(x0.size):
                left = row[x0[i]]
                rounded[i] = np.int32(np.floor(left + wx[i] * (row[x0[i] + 1] - left) + np.float32(0.5)))
            line = out[k, j]
            for i in range(x0.size):
                line[i] = table[rounded[i] + 32768]
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _interpolate_mask(array, z0, wz, y0, wy, x0, wx):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Along x first: a coarse mask has few rows, and what is left to do for every voxel then runs along memory."""
    depth, height, width = array.shape
    wide = np.empty((depth, height, x0.size), np.float32)
    for k in range(z0[0], min(z0[-1] + 2, depth)):
        for j in range(y0[0], min(y0[-1] + 2, height)):
            for i in range(x0.size):
                left = np.float32(array[k, j, x0[i]])
                right = np.float32(array[k, j, min(x0[i] + 1, width - 1)])
                wide[k, j, i] = left + wx[i] * (right - left)
    out = np.empty((z0.size, y0.size, x0.size), np.uint8)
    for k in range(z0.size):
        upper = min(z0[k] + 1, depth - 1)
        for j in range(y0.size):
            near, far = y0[j], min(y0[j] + 1, height - 1)
            a = (np.float32(1) - wz[k]) * (np.float32(1) - wy[j])
            b = (np.float32(1) - wz[k]) * wy[j]
            c = wz[k] * (np.float32(1) - wy[j])
            d = wz[k] * wy[j]
            first, second, third, fourth = wide[z0[k], near], wide[z0[k], far], wide[upper, near], wide[upper, far]
            line = out[k, j]
            for i in range(x0.size):
                line[i] = a * first[i] + b * second[i] + c * third[i] + d * fourth[i] >= np.float32(0.5)
    return out


def block_means(volume: Volume, spacing_mm: float) -> Volume:
    """A coarse volume: means over whole blocks of voxels about ``spacing_mm`` wide.

    Args:
        volume: Source; what is left over at the far ends is dropped. Values below `PADDING_HU` count as that.
        spacing_mm: Width wanted; axes that are already coarser keep their spacing.
    """
    factors = [max(1, round(spacing_mm / spacing)) for spacing in volume.geometry.spacing_zyx_mm]
    factors = [min(factor, size) for factor, size in zip(factors, volume.array.shape, strict=True)]
    array = _block_means(volume.array, np.int16(PADDING_HU), *factors)
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
def _block_means(array, floor, fz, fy, fx):  # type: ignore[no-untyped-def]  # pragma: no cover
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
                        row[i] += max(array[z, y, i], floor)
            for i in range(width):
                out[k, j, i] = row[i * fx : (i + 1) * fx].sum() // count
    return out
