"""Masks of a prepared grid on source grids of other orientation, spacing and shear."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.nodules.findings.export.grid import source_labels
from tests.ct.labels.shapes import GRIDS, ball

STORED = Geometry((60, 60, 60), (1.5, 1.5, 1.5), (-40.0, 0.0, -130.0))
TILT = np.radians(20)
LEANING = Geometry(
    (30, 100, 100), (2.5, 0.8, 0.8), (-40.0, 0.0, -130.0),
    ((1.0, 0.0, 0.0), (0.0, 1.0, float(np.sin(TILT))), (0.0, 0.0, float(np.cos(TILT)))),
)  # fmt: skip
CENTRE_ZYX = np.array([15.2, 20.4, 25.7])
"""Of the balls, in voxels of the stored grid."""


def around_the_ball(geometry: Geometry) -> Geometry:
    """The grid, moved so that the ball lies near its middle, between centres of voxels."""
    shift = STORED.to_world([CENTRE_ZYX]) - geometry.to_world([np.asarray(geometry.shape_zyx) / 2 + 0.3])
    return replace(geometry, origin_xyz_mm=tuple((np.asarray(geometry.origin_xyz_mm) + shift[0]).tolist()))


COARSE = Geometry((20, 25, 25), (5.0, 4.0, 4.0))
SOURCES = {name: around_the_ball(grid) for name, grid in {**GRIDS, "leaning": LEANING, "coarse": COARSE}.items()}


def stored_ball(radius_mm: float) -> LesionMask:
    return cropped(ball(STORED, CENTRE_ZYX, STORED, radius_mm))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("radius_mm", [2.5, 5.0, 9.0])
def test_place_and_volume_are_kept(name: str, radius_mm: float):
    source, mask = SOURCES[name], stored_ball(radius_mm)
    labels = source_labels(STORED, {7: mask}, source)
    places = np.argwhere(labels == 7)
    centroid = STORED.to_world([np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx])[0]
    apart = np.linalg.norm(source.to_world([places.mean(axis=0)])[0] - centroid)
    assert apart < max(0.5, 0.4 * max(source.spacing_zyx_mm))
    volume = mask.voxels.sum() * STORED.voxel_mm3
    assert abs(len(places) * source.voxel_mm3 - volume) <= max(0.02 * volume, 2 * source.voxel_mm3)


def test_on_the_same_grid_nothing_changes():
    mask = stored_ball(6.0)
    found = cropped(source_labels(STORED, {1: mask}, STORED) == 1)
    assert found.start_zyx == mask.start_zyx
    np.testing.assert_array_equal(found.voxels, mask.voxels)


def test_edges_are_smoother_than_the_nearest_neighbours():
    """Against the true ball on a grid three times finer; the peer is ITK's nearest neighbour."""
    fine = around_the_ball(Geometry((40, 40, 40), (0.5, 0.5, 0.5)))
    truth = ball(fine, CENTRE_ZYX, STORED, 6.0)
    mask = ball(STORED, CENTRE_ZYX, STORED, 6.0)
    smooth = source_labels(STORED, {1: cropped(mask)}, fine) == 1
    image = STORED.apply_to_sitk(sitk.GetImageFromArray(mask.astype(np.uint8)))
    like = fine.apply_to_sitk(sitk.GetImageFromArray(truth.astype(np.uint8)))
    nearest = sitk.GetArrayFromImage(sitk.Resample(image, like, sitk.Transform(), sitk.sitkNearestNeighbor)) == 1
    assert np.count_nonzero(smooth != truth) < np.count_nonzero(nearest != truth)


def test_the_smaller_of_two_wins_and_what_lies_outside_is_left_out():
    large, small = stored_ball(9.0), stored_ball(3.0)
    outside = cropped(ball(STORED, np.array([50.0, 50.0, 50.0]), STORED, 4.0))
    source = STORED.crop((0, 0, 0), (40, 40, 40))
    labels = source_labels(STORED, {1: large, 2: small, 3: outside}, source)
    assert (labels == 2).sum() == small.voxels.sum()
    assert set(np.unique(labels)) == {0, 1, 2}


def test_a_mask_between_all_centres_keeps_a_voxel():
    source = Geometry((6, 6, 6), (15.0, 15.0, 15.0), (-40.0, 0.0, -130.0))
    one = LesionMask((5, 5, 5), np.ones((1, 1, 1), dtype=bool))
    assert (source_labels(STORED, {1: one}, source) == 1).sum() == 1
