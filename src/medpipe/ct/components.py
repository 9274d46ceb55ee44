"""Connected components of masks, found on runs of voxels instead of voxels: a few milliseconds a coarse scan.

Rows are cut into runs, runs that touch are united, and labels are written once (He, Chao and Suzuki, "A run-based
two-scan labeling algorithm", IEEE TIP 2008). Labels are those of ``scipy.ndimage.label``, ten times sooner.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


def label(mask: BoolArray, in_plane: bool = False) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Components of voxels that share a face.

    Args:
        mask: (z, y, x).
        in_plane: Whether slices count as not touching.

    Returns:
        0 outside the mask and 1, 2, ... in its components, in the order of their first voxels; the number of voxels
        of every label, that of 0 set to 0.
    """
    labels, sizes = _label(np.ascontiguousarray(mask), in_plane)
    return labels, sizes


def lookup(table: NDArray[Any], labels: NDArray[np.int32]) -> NDArray[Any]:
    """``table[labels]``, several times sooner.

    Args:
        table: A value of one byte for every label.
        labels: (z, y, x), as `label` gives them.
    """
    return np.asarray(_lookup(table.view(np.uint8), labels).view(table.dtype))


def fill_holes(mask: BoolArray) -> BoolArray:
    """The mask and all that is cut off by it from the edges of the array (z, y, x)."""
    return _closed_to_the_edge(~mask, in_plane=False)


def fill_holes_in_plane(mask: BoolArray) -> BoolArray:
    """The mask and all that is cut off by it from the sides of its slice (z, y, x)."""
    return _closed_to_the_edge(~mask, in_plane=True)


def _closed_to_the_edge(background: BoolArray, in_plane: bool) -> BoolArray:
    labels, sizes = label(background, in_plane)
    closed = np.ones(len(sizes), dtype=bool)
    edges = [labels[:, 0, :], labels[:, -1, :], labels[:, :, 0], labels[:, :, -1]]
    for edge in edges if in_plane else [*edges, labels[0], labels[-1]]:
        closed[edge] = False
    closed[0] = True
    return np.asarray(lookup(closed, labels))


def bounding_box(mask: BoolArray) -> tuple[slice, ...] | None:
    """The smallest box around a mask (z, y, x); None where it is empty."""
    plane = np.asarray(mask.any(axis=0))
    box = []
    for occupied in (mask.any(axis=(1, 2)), np.any(plane, axis=1), np.any(plane, axis=0)):
        places = np.flatnonzero(occupied)
        if not places.size:
            return None
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(box)


@numba.njit(cache=True, nogil=True)
def _lookup(table, labels):  # type: ignore[no-untyped-def]  # pragma: no cover
    out = np.empty(labels.shape, np.uint8)
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                out[z, y, x] = table[labels[z, y, x]]
    return out


@numba.njit(cache=True, nogil=True)
def _root(parents, run):  # type: ignore[no-untyped-def]  # pragma: no cover
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


@numba.njit(cache=True, nogil=True)
def _unite(parents, starts, ends, a, a_last, b, b_last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Unites the runs of two neighbouring rows that overlap; the lower number becomes the root."""
    while a < a_last and b < b_last:
        if starts[a] < ends[b] and starts[b] < ends[a]:
            first, second = _root(parents, a), _root(parents, b)
            if first < second:
                parents[second] = first
            else:
                parents[first] = second
        if ends[a] < ends[b]:
            a += 1
        else:
            b += 1


@numba.njit(cache=True, nogil=True)
def _label(mask, in_plane):  # type: ignore[no-untyped-def]  # pragma: no cover
    depth, height, width = mask.shape
    rows = depth * height
    row_of = np.empty(rows + 1, np.int64)
    starts = np.empty(rows * (width // 2 + 1), np.int32)
    ends = np.empty(rows * (width // 2 + 1), np.int32)
    count = 0
    for row in range(rows):
        row_of[row] = count
        line = mask[row // height, row % height]
        inside = False
        for x in range(width):
            if line[x] != inside:
                if inside:
                    ends[count] = x
                    count += 1
                else:
                    starts[count] = x
                inside = not inside
        if inside:
            ends[count] = width
            count += 1
    row_of[rows] = count
    parents = np.arange(count)
    for row in range(rows):
        if row % height > 0:
            _unite(parents, starts, ends, row_of[row - 1], row_of[row], row_of[row], row_of[row + 1])
        if row >= height and not in_plane:
            above = row - height
            _unite(parents, starts, ends, row_of[above], row_of[above + 1], row_of[row], row_of[row + 1])
    numbers = np.empty(count, np.int32)
    found = 0
    for run in range(count):
        root = _root(parents, run)
        if root == run:
            found += 1
            numbers[run] = found
        else:
            numbers[run] = numbers[root]
    sizes = np.zeros(found + 1, np.int64)
    labels = np.zeros(mask.shape, np.int32)
    for row in range(rows):
        line = labels[row // height, row % height]
        for run in range(row_of[row], row_of[row + 1]):
            number = numbers[run]
            sizes[number] += ends[run] - starts[run]
            line[starts[run] : ends[run]] = number
    return labels, sizes
