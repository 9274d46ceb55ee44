"""Which pixels lie inside outlines.

Pixels are points at whole-number coordinates (column, row), and outlines are closed polygons in the same coordinates.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def fill_even_odd(outlines: Sequence[npt.ArrayLike], shape: tuple[int, int], start: tuple[int, int]) -> BoolArray:
    """Pixels of a box whose centres lie inside an odd number of outlines, so that an outline in another is a hole.

    Every row is cut at the edges that cross it, and what lies right of a cut changes sides: the work grows with the
    height of the edges, not with edges times pixels.

    Args:
        outlines: Corners (column, row), n x 2 each, finite; closed by themselves, repeated first corner or not.
        shape: Rows and columns of the box.
        start: First row and column of the box.

    Returns:
        bool (rows, columns). A centre on a left or upper edge is inside, on a right or lower edge outside.
    """
    n_rows, n_columns = shape
    flips = np.zeros((n_rows, n_columns + 1), dtype=np.uint8)
    for outline in outlines:
        rows, columns = _cuts(np.asarray(outline, dtype=np.float64)[:, ::-1] - start, n_rows)
        np.bitwise_xor.at(flips, (rows, np.clip(np.ceil(columns), 0, n_columns).astype(np.int64)), 1)
    return np.bitwise_xor.accumulate(flips[:, :-1], axis=1).astype(bool)


def _cuts(corners: FloatArray, n_rows: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Where edges of corners (row, column) cross the rows 0 to n_rows - 1: row and column of each crossing."""
    following = np.roll(corners, -1, axis=0)
    upper = np.where((corners[:, :1] <= following[:, :1]), corners, following)
    lower = np.where((corners[:, :1] <= following[:, :1]), following, corners)
    first = np.clip(np.ceil(upper[:, 0]), 0, n_rows).astype(np.int64)
    counts = np.clip(np.ceil(lower[:, 0]), 0, n_rows).astype(np.int64) - first
    edges = np.repeat(np.arange(len(corners)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    height = np.where(lower[:, 0] > upper[:, 0], lower[:, 0] - upper[:, 0], 1.0)
    slope = (lower[:, 1] - upper[:, 1]) / height
    return rows, upper[edges, 1] + (rows - upper[edges, 0]) * slope[edges]


def pixels_inside(points_xy: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pixels strictly inside a closed polygon of pixel indices, by the even-odd rule.

    Args:
        points_xy: Corners (column, row), n x 2.

    Returns:
        m x 2 (column, row) in the order of rows; what lies on the outline is not inside.
    """
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    box = fill_even_odd([points_xy], (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1), (int(low[1]), int(low[0])))
    columns, rows = (_lattice_points(points_xy) - low).T
    box[rows, columns] = False
    return np.argwhere(box)[:, ::-1] + low


def _lattice_points(points_xy: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The pixels that edges run through exactly, n x 2."""
    steps = np.roll(points_xy, -1, axis=0) - points_xy
    counts = np.maximum(np.gcd(*np.abs(steps).T), 1)
    edges = np.repeat(np.arange(len(points_xy)), counts)
    along = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(points_xy[edges] + along[:, None] * (steps // counts[:, None])[edges])
