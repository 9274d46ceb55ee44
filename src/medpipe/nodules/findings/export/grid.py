"""Masks of the stored grid laid over the grid of the source scan, smoothly and with their volume kept."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask

FloatArray = NDArray[np.float64]
MAX_FINDINGS = int(np.iinfo(np.uint16).max)


def source_labels(geometry: Geometry, masks: Mapping[int, LesionMask], source: Geometry) -> NDArray[np.uint16]:
    """Numbers of the findings on the grid of the source scan, whatever its orientation or shear.

    A mask is interpolated linearly, and the voxels with the highest values are taken until they make up its volume:
    a cut at one half would make small masks smaller. Where masks overlap the smaller one wins; one that lies between
    the centres of all voxels keeps the voxel at its centroid.

    Args:
        geometry: Grid of the masks.
        masks: By number, 1 to 65535.
        source: Grid of the scan as it lies in the files.

    Returns:
        Shape of ``source`` (z, y, x), 0 where there is no finding.
    """
    labels = np.zeros(source.shape_zyx, dtype=np.uint16)
    for number in sorted(masks, key=lambda number: -int(masks[number].voxels.sum())):
        low, inside = _on_source(geometry, masks[number], source)
        start = np.clip(low, 0, source.shape_zyx)
        stop = np.clip(low + inside.shape, start, source.shape_zyx)
        kept = inside[tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))]
        labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))][kept] = number
    return labels


def _on_source(geometry: Geometry, mask: LesionMask, source: Geometry) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """First voxel of a box of the source's grid, which may reach beyond it, and the mask in that box."""
    from scipy.ndimage import affine_transform

    start = np.asarray(mask.start_zyx) - 1  # of the mask with an empty voxel around it, so that it fades to nothing
    edged = np.pad(mask.voxels, 1).astype(np.float32)
    corners = list(product(*zip(start, start + edged.shape, strict=True)))
    reach = source.to_voxel(geometry.to_world(corners))
    low, high = np.floor(reach.min(axis=0)).astype(int), np.ceil(reach.max(axis=0)).astype(int) + 1
    steps = geometry.to_voxel(source.to_world([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    matrix, offset = (steps[1:] - steps[0]).T, steps[0]
    values = affine_transform(
        edged, matrix, offset + matrix @ low - start, tuple((high - low).tolist()), order=1, prefilter=False
    )
    n_voxels = round(float(mask.voxels.sum()) * geometry.voxel_mm3 / source.voxel_mm3)
    if not values.any():
        centroid = np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx
        nearest = np.rint(source.to_voxel(geometry.to_world([centroid]))[0]).astype(int)
        return nearest, np.ones((1, 1, 1), dtype=bool)
    return low, _highest(values, max(n_voxels, 1))


def _highest(values: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """The voxels of the ``count`` highest values above 0, or as near to that as equal values allow."""
    count = min(count, int(np.count_nonzero(values)))
    level = np.partition(values.ravel(), -count)[-count]
    above, from_level = values > level, values >= level
    nearer = above.any() and count - np.count_nonzero(above) < np.count_nonzero(from_level) - count
    return np.asarray(above if nearer else from_level)
