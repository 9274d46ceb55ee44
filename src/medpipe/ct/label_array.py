"""Masks of findings laid over another grid: nearest neighbour, whatever the orientation or shear of either."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask

FloatArray = NDArray[np.float64]


def label_array(geometry: Geometry, masks: Mapping[int, LesionMask], target: Geometry) -> NDArray[np.uint16]:
    """Numbers of the findings on a grid.

    Every voxel takes the mask at the voxel of ``geometry`` that is nearest to its centre. Where masks overlap the
    smaller one wins; one that lies between the centres of all voxels keeps the voxel at its centroid.

    Args:
        geometry: Grid of the scan that the masks belong to.
        masks: By number, 1 to 65535.
        target: Where numbers are wanted; what lies outside it is left out.

    Returns:
        Shape of ``target`` (z, y, x), 0 where there is no finding.
    """
    labels = np.zeros(target.shape_zyx, dtype=np.uint16)
    matrix, offset = _index_map(target, geometry)
    by_size = sorted(masks, key=lambda number: -int(masks[number].voxels.sum()))
    boxes = {number: box for number in by_size if (box := _target_box(geometry, masks[number], target)) is not None}
    for number, (low, high) in boxes.items():
        for z in range(low[0], high[0]):
            inside = _sample(masks[number], matrix, offset, z, low, high)
            part = labels[z, low[1] : high[1], low[2] : high[2]]
            part[inside] = number
    for number in boxes:
        low, high = boxes[number]
        if not (labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]] == number).any():
            _keep_centroid(labels, geometry, masks[number], number, target)
    return labels


def _index_map(target: Geometry, source: Geometry) -> tuple[FloatArray, FloatArray]:
    """Affine map from voxel indices of one grid to those of another: 3 x 3 and 3, (z, y, x)."""
    corners = source.to_voxel(target.to_world([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    return (corners[1:] - corners[0]).T, corners[0]


def _target_box(
    geometry: Geometry, mask: LesionMask, target: Geometry
) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """First and behind the last voxel of the target that may touch a mask; None where none does."""
    ends = [(start - 0.5, start + size - 0.5) for start, size in zip(mask.start_zyx, mask.voxels.shape, strict=True)]
    corners = target.to_voxel(geometry.to_world(list(product(*ends))))
    low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 1, target.shape_zyx).astype(int)
    if (low >= high).any():
        return None
    (z0, y0, x0), (z1, y1, x1) = low.tolist(), high.tolist()
    return (z0, y0, x0), (z1, y1, x1)


def _sample(
    mask: LesionMask,
    matrix: FloatArray,
    offset: FloatArray,
    z: int,
    low: tuple[int, int, int],
    high: tuple[int, int, int],
) -> NDArray[np.bool_]:
    """One slice of the target box (y, x): whether the nearest voxel of the mask's grid is set."""
    y, x = np.arange(low[1], high[1])[:, None], np.arange(low[2], high[2])[None, :]
    index, valid = [], np.ones((y.size, x.size), dtype=bool)
    for axis in range(3):
        place = matrix[axis, 0] * z + matrix[axis, 1] * y + matrix[axis, 2] * x + offset[axis]
        nearest = np.floor(place + 0.5).astype(np.int64) - mask.start_zyx[axis]
        valid &= (nearest >= 0) & (nearest < mask.voxels.shape[axis])
        index.append(np.clip(nearest, 0, mask.voxels.shape[axis] - 1))
    return np.asarray(valid & mask.voxels[index[0], index[1], index[2]])


def _keep_centroid(
    labels: NDArray[np.uint16], geometry: Geometry, mask: LesionMask, number: int, target: Geometry
) -> None:
    """Sets the voxel nearest to a mask's centroid, if it lies on the grid."""
    centroid = np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx
    nearest = np.floor(target.to_voxel(geometry.to_world([centroid]))[0] + 0.5).astype(int)
    if ((nearest >= 0) & (nearest < target.shape_zyx)).all():
        labels[tuple(nearest)] = number
