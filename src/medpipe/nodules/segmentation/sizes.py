"""Sizes of a mask that reports give: volume, equivalent diameter, longest axis in an axial slice."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from medpipe.ct.geometry import Geometry

SIZE_COLUMNS = ("volume_mm3", "mask_diameter_mm", "long_axis_mm")


def mask_sizes(voxels: npt.NDArray[np.bool_], geometry: Geometry) -> dict[str, float]:
    """Sizes of one mask; all 0 where it is empty.

    Args:
        voxels: (z, y, x), a box that holds the mask.
        geometry: Gives the size of a voxel.

    Returns:
        ``volume_mm3``; ``mask_diameter_mm`` of the sphere of that volume; ``long_axis_mm``, see `long_axis_mm`.
    """
    volume_mm3 = float(np.count_nonzero(voxels)) * geometry.voxel_mm3
    diameter_mm = float((6 * volume_mm3 / np.pi) ** (1 / 3))
    axis_mm = long_axis_mm(voxels, geometry.spacing_zyx_mm)
    return dict(zip(SIZE_COLUMNS, (volume_mm3, diameter_mm, axis_mm), strict=True))


def long_axis_mm(voxels: npt.NDArray[np.bool_], spacing_zyx_mm: Sequence[float]) -> float:
    """Longest axis of a mask in any axial slice, as RECIST 1.1 measures it (Eisenhauer et al., 2009).

    Distances are taken between centres of voxels, and a voxel's width is added for its two halves at the ends.

    Args:
        voxels: (z, y, x).
        spacing_zyx_mm: Of the voxels.
    """
    in_plane_mm = np.asarray(spacing_zyx_mm[1:], dtype=np.float64)
    slices = voxels[voxels.any(axis=(1, 2))]
    longest_mm = max((_widest(slice_, in_plane_mm) for slice_ in slices), default=-1.0)
    return longest_mm + float(in_plane_mm.mean()) if longest_mm >= 0 else 0.0


def _widest(slice_: npt.NDArray[np.bool_], spacing_yx_mm: npt.NDArray[Any]) -> float:
    """Largest distance between two voxels of a slice: only the first and last of each row can be that far apart."""
    from scipy.spatial.distance import pdist

    rows = np.flatnonzero(slice_.any(axis=1))
    first = slice_[rows].argmax(axis=1)
    last = slice_.shape[1] - 1 - slice_[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)])
    return float(pdist(ends * spacing_yx_mm).max())
