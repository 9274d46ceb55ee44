"""Morphology of masks on coarse grids: steps along the axes, and balls in millimetres."""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]

ROUNDING_MM = 1e-6
"""Voxels at the very distance asked for are within it, however their squares were rounded."""


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


def within(mask: BoolArray, distance_mm: float, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """All voxels within a distance of the mask: the union of balls around its voxels.

    A ball is a bundle of rods along x, so the mask is widened once for every length of rod, and whole rows are united.

    Args:
        mask: (z, y, x).
        distance_mm: Between centres of voxels.
        spacing_zyx_mm: Of the voxels.
    """
    reach = [
        min(int((distance_mm + ROUNDING_MM) / spacing), size - 1)
        for spacing, size in zip(spacing_zyx_mm, mask.shape, strict=True)
    ]
    dz, dy = np.meshgrid(np.arange(reach[0] + 1), np.arange(reach[1] + 1), indexing="ij")
    left_mm2 = (distance_mm + ROUNDING_MM) ** 2 - (dz * spacing_zyx_mm[0]) ** 2 - (dy * spacing_zyx_mm[1]) ** 2
    rods = np.floor(np.sqrt(np.maximum(left_mm2, 0)) / spacing_zyx_mm[2])
    rods = np.where(left_mm2 < 0, -1, np.minimum(rods, mask.shape[2] - 1)).astype(np.int64)
    return np.asarray(_unite_balls(np.ascontiguousarray(mask).view(np.uint8), rods).view(np.bool_))


@numba.njit(cache=True, nogil=True)
def _unite_balls(mask, rods):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Every row united with the rows around it, widened by ``rods[|dz|, |dy|]``; -1 is out of reach.

    Rows are packed into words of 64 voxels, so that one operation unites as many.
    """
    depth, height, width = mask.shape
    n_words = (width + 63) // 64
    wide = np.zeros((depth, height, n_words), np.uint64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                wide[z, y, x >> 6] |= np.uint64(mask[z, y, x]) << np.uint64(x & 63)
    united = np.zeros((depth, height, n_words), np.uint64)
    for length in range(rods.max() + 1):
        if length > 0:
            _widen(wide)
        for dz in range(-rods.shape[0] + 1, rods.shape[0]):
            for dy in range(-rods.shape[1] + 1, rods.shape[1]):
                if rods[abs(dz), abs(dy)] != length:
                    continue
                first, count = max(0, -dy) * n_words, (height - abs(dy)) * n_words
                for z in range(max(0, -dz), min(depth, depth - dz)):
                    target = united[z].reshape(-1)[first : first + count]
                    source = wide[z + dz].reshape(-1)[first + dy * n_words :]
                    for w in range(count):
                        target[w] |= source[w]
    out = np.empty(mask.shape, np.uint8)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                out[z, y, x] = (united[z, y, x >> 6] >> np.uint64(x & 63)) & np.uint64(1)
    return out


@numba.njit(cache=True, nogil=True)
def _widen(words):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sets the neighbours along x of all bits that are set."""
    one, top = np.uint64(1), np.uint64(63)
    depth, height, n_words = words.shape
    for z in range(depth):
        for y in range(height):
            before = np.uint64(0)  # the word to the left as it was
            for w in range(n_words):
                word = words[z, y, w]
                after = words[z, y, w + 1] if w + 1 < n_words else np.uint64(0)
                words[z, y, w] = word | (word << one) | (word >> one) | (before >> top) | (after << top)
                before = word
