"""Morphology of masks on coarse grids: steps along the axes, balls in millimetres, holes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BoolArray = NDArray[np.bool_]


def dilate(mask: BoolArray, steps: int) -> BoolArray:
    """The mask and its neighbours along the axes, ``steps`` times."""
    for _ in range(steps):
        grown = mask.copy()
        for axis in range(mask.ndim):
            source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
            target[1:] |= source[:-1]
            target[:-1] |= source[1:]
        mask = grown
    return mask


def erode(mask: BoolArray, steps: int) -> BoolArray:
    """The mask without voxels that have a neighbour along an axis outside it; beyond the edge counts as inside."""
    return ~dilate(~mask, steps)


def fill_holes(mask: BoolArray) -> BoolArray:
    """The mask and all that is cut off by it from the edges of the array."""
    background, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    inner = (slice(1, -1),) * mask.ndim
    return np.asarray(background[inner] != background[(0,) * mask.ndim])


def within(mask: BoolArray, distance_mm: float, spacing_mm: Sequence[float]) -> BoolArray:
    """All voxels within a distance of the mask: the squared Euclidean distance, axis by axis, no farther than asked.

    The distance is separable (Saito and Toriwaki, Pattern Recognition 1994): along each axis the new square is the
    least of the neighbours' squares plus the step squared.

    Args:
        mask: In any number of dimensions.
        distance_mm: Between centres of voxels.
        spacing_mm: Of the voxels, in the order of the axes.
    """
    beyond = np.float32(2 * distance_mm**2 + 1)
    squares = np.where(mask, np.float32(0), beyond)
    for axis, spacing in enumerate(spacing_mm):
        least = squares.copy()
        along, source = np.moveaxis(least, axis, 0), np.moveaxis(squares, axis, 0)
        for step in range(1, min(int(distance_mm / spacing), mask.shape[axis] - 1) + 1):
            added = np.float32((step * spacing) ** 2)
            np.minimum(along[step:], source[:-step] + added, out=along[step:])
            np.minimum(along[:-step], source[step:] + added, out=along[:-step])
        squares = least
    return np.asarray(squares <= np.float32(distance_mm**2 + 1e-3))
