"""From a mask on one grid to the findings of a scan on another.

A mask on the scan's own grid, in whatever order and direction its axes are stored, is taken voxel by voxel. A mask on
another grid is looked up at the centres of the scan's voxels (nearest neighbour): exact to half a voxel.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LabelError, LesionMask, cropped, finding_of_mask

BoolArray = NDArray[np.bool_]

SAME_PLACE_VOXELS = 0.1
"""Largest distance of a voxel's centres on two grids that are taken for one; headers are written with few digits."""

MAX_PARTS = 10_000
"""Most parts of one mask; a picture with noise that was taken for a mask has more."""


def findings_of_voxels(
    voxels: BoolArray, grid: Geometry, scan: Geometry, *, split: bool, label: str | None = None
) -> list[Finding]:
    """Findings of a mask, with their voxels on the scan's grid.

    A part that lies outside of the scan keeps its place in the world and has no voxels.

    Args:
        voxels: bool (z, y, x) on ``grid``.
        grid: Of the mask.
        scan: Grid of the scan as it lies in the files.
        split: Whether parts that do not touch, by a face, an edge or a corner, are findings of their own.
        label: Name for the findings.

    Raises:
        LabelError: If the grids do not overlap in the world, or there are more parts than lesions can be.
    """
    if not voxels.any():
        return []
    check_overlap(grid, scan)
    findings = []
    for part in _parts(cropped(voxels), split):
        mask = onto_grid(part, grid, scan)
        if mask is None:
            outside = finding_of_mask(part, grid, label=label)
            findings.append(Finding(outside.centre_xyz_mm, diameter_mm=outside.diameter_mm, label=label))
        else:
            findings.append(finding_of_mask(mask, scan, label=label))
    return findings


def check_overlap(grid: Geometry, scan: Geometry) -> None:
    """Checks that two grids have a piece of the world in common, as far as their boxes tell.

    Raises:
        LabelError: If they have none.
    """
    centres = grid.to_voxel(_corners(scan.shape_zyx, scan))
    last = np.asarray(grid.shape_zyx) - 0.5
    back = scan.to_voxel(_corners(grid.shape_zyx, grid))
    far = np.asarray(scan.shape_zyx) - 0.5
    apart = (centres.min(axis=0) > last) | (centres.max(axis=0) < -0.5)
    apart |= (back.min(axis=0) > far) | (back.max(axis=0) < -0.5)
    if apart.any():
        raise LabelError("The mask and the scan do not overlap in the world.")


def onto_grid(mask: LesionMask, grid: Geometry, scan: Geometry) -> LesionMask | None:
    """A mask on the grid of the scan; None where nothing of it lies inside.

    Args:
        mask: On ``grid``.
        grid: Of the mask.
        scan: Grid of the scan.
    """
    matrix, offset = _steps(scan, grid)  # a scan's voxel to the mask's grid
    corners = [np.add(mask.start_zyx, np.multiply(mask.voxels.shape, side) - 0.5) for side in product((0, 1), repeat=3)]
    reach = scan.to_voxel(grid.to_world(corners))
    low = np.maximum(np.floor(reach.min(axis=0) + 0.5 - SAME_PLACE_VOXELS), 0).astype(int)
    high = np.minimum(np.ceil(reach.max(axis=0) + 0.5 + SAME_PLACE_VOXELS), scan.shape_zyx).astype(int)
    if (low >= high).any():
        return None
    from scipy.ndimage import affine_transform

    edged = np.pad(mask.voxels, 1).astype(np.uint8)  # SciPy ends a grid at its outermost centres, not half a voxel on
    found = affine_transform(
        edged,
        matrix,
        offset + matrix @ low - np.asarray(mask.start_zyx) + 1,
        tuple((high - low).tolist()),
        order=0,
        mode="constant",
        prefilter=False,
    ).astype(bool)
    return cropped(found, low.tolist()) if found.any() else None


def _steps(scan: Geometry, grid: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset from voxels of the scan to those of the mask, whole numbers where the grids are one."""
    points = grid.to_voxel(scan.to_world([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    matrix, offset = (points[1:] - points[0]).T, points[0]
    whole, start = np.rint(matrix), np.rint(offset)
    corners = np.array(list(product(*[(0, size - 1) for size in scan.shape_zyx])), dtype=np.float64)
    moved = corners @ (whole - matrix).T + (start - offset)
    if abs(np.linalg.det(whole)) == 1 and np.abs(moved).max() < SAME_PLACE_VOXELS:
        return whole, start
    return matrix, offset


def _corners(shape: tuple[int, int, int], geometry: Geometry) -> NDArray[np.float64]:
    return geometry.to_world(list(product(*[(-0.5, size - 0.5) for size in shape])))


def _parts(mask: LesionMask, split: bool) -> Iterator[LesionMask]:
    if not split:
        yield mask
        return
    from scipy.ndimage import find_objects, label

    numbered = np.empty(mask.voxels.shape, dtype=np.uint16)  # holds MAX_PARTS in half the memory of the usual int32
    try:
        count = label(mask.voxels, structure=np.ones((3, 3, 3), dtype=int), output=numbered)
    except RuntimeError:  # more parts than the type can number
        count = np.iinfo(np.uint16).max
    if count > MAX_PARTS:
        raise LabelError(f"A mask has over {MAX_PARTS} parts that do not touch, more than are taken for findings.")
    for number, box in enumerate(find_objects(numbered), start=1):
        start = [part.start + first for part, first in zip(box, mask.start_zyx, strict=True)]
        yield cropped(numbered[box] == number, start)
