"""Balls of known size in scans of known orientation, and what must be found of them."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LabelJob
from medpipe.ct.volume import Volume

RADIUS_MM = 8.1
SHAPE = (24, 40, 44)
SPACING = (2.0, 1.2, 1.0)


def _turned(degrees_x: float, degrees_z: float) -> NDArray[np.float64]:
    a, b = np.radians([degrees_x, degrees_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x)


def _grid(axes: NDArray[np.float64]) -> Geometry:
    rows = tuple((float(row[0]), float(row[1]), float(row[2])) for row in axes)
    return Geometry(SHAPE, SPACING, (-20.0, 15.0, -120.0), rows)


GRIDS = {
    "axial": _grid(np.eye(3)),
    "flipped": _grid(np.diag([-1.0, -1.0, 1.0])),
    "oblique": _grid(_turned(25.0, -15.0)),
}
"""Right-handed grids, as DICOM's slices sorted along their normal are."""

CENTRES_ZYX = np.array([(8.0, 14.0, 12.0), (15.3, 24.6, 30.7)])
"""Middles of the balls in voxels; the second lies between centres of voxels."""


def ball(
    geometry: Geometry, centre_zyx: NDArray[np.float64], of: Geometry, radius_mm: float = RADIUS_MM
) -> NDArray[np.bool_]:
    """Voxels of a grid whose centres lie in a ball around a voxel of another grid."""
    places = np.stack(np.indices(geometry.shape_zyx), axis=-1).reshape(-1, 3)
    apart = geometry.to_world(places) - of.to_world([centre_zyx])
    return np.asarray(np.linalg.norm(apart, axis=1) <= radius_mm).reshape(geometry.shape_zyx)


def scan_with_balls(geometry: Geometry) -> Volume:
    """Air with two balls of water."""
    array = np.full(geometry.shape_zyx, -850, dtype=np.int16)
    for centre in CENTRES_ZYX:
        array[ball(geometry, centre, geometry)] = 40
    return Volume(array, geometry)


def run(jobs: Sequence[LabelJob], geometry: Geometry) -> list[Finding]:
    """Findings of pickled jobs."""
    return [item for job in jobs for item in pickle.loads(pickle.dumps(job))(geometry)]


def files_in(folder: Path) -> list[Path]:
    """All files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_balls(
    found: Sequence[Finding], geometry: Geometry, centres: NDArray[np.float64] = CENTRES_ZYX, wrong: float = 0.0
) -> None:
    """Checks place within half a voxel and volume within a few per cent; a fraction of the voxels may differ."""
    assert len(found) == len(centres)
    for item, centre in zip(
        sorted(found, key=lambda item: geometry.to_voxel([item.centre_xyz_mm])[0, 0]), centres, strict=True
    ):
        assert np.abs(geometry.to_voxel([item.centre_xyz_mm])[0] - centre).max() < 0.5
        assert item.diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.015)  # under 5 per cent of volume
        assert item.kind == "nodule"
        assert item.mask is not None
        inside = tuple(
            slice(first, first + size) for first, size in zip(item.mask.start_zyx, item.mask.voxels.shape, strict=True)
        )
        expected = ball(geometry, centre, geometry)
        differing = np.count_nonzero(expected) + np.count_nonzero(item.mask.voxels)
        differing -= 2 * np.count_nonzero(expected[inside] & item.mask.voxels)
        assert differing <= wrong * np.count_nonzero(expected)
