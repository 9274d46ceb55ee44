from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.ct.geometry import Geometry
from medpipe.ct.label_array import label_array
from medpipe.ct.labels.base import LesionMask, cropped

SHAPE = (14, 16, 18)
ORIENTATIONS = [
    np.array([[float(sign * (axis == row)) for axis, sign in zip(order, signs, strict=True)] for row in range(3)])
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
]


def grid(direction: np.ndarray, shape=SHAPE, spacing=(2.5, 0.7, 0.9)) -> Geometry:
    return Geometry(shape, spacing, (-10.0, 20.0, -300.0), tuple(map(tuple, direction.tolist())))


def around(source: Geometry, spacing_mm: float) -> Geometry:
    """An upright grid that covers another."""
    low, high = source.world_bounds
    shape = tuple(int(n) for n in np.ceil((high - low)[::-1] / spacing_mm) + 3)
    return Geometry(shape, (spacing_mm,) * 3, tuple((low - spacing_mm).tolist()))


def by_simpleitk(voxels: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    image = source.apply_to_sitk(sitk.GetImageFromArray(voxels.astype(np.uint8)))
    reference = target.apply_to_sitk(sitk.GetImageFromArray(np.zeros(target.shape_zyx, np.uint8)))
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0)) > 0


@settings(max_examples=48, deadline=None)
@given(
    flip=st.sampled_from(ORIENTATIONS),
    angles=st.tuples(*[st.integers(-40, 40).map(lambda hundredths: hundredths / 100)] * 3),
    shear=st.integers(-30, 30).map(lambda hundredths: hundredths / 100),
    spacing_mm=st.floats(0.6, 2.5),
)
def test_it_agrees_with_simpleitk_in_any_orientation(flip, angles, shear, spacing_mm):
    direction = np.reshape(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix(), (3, 3)) @ flip
    direction[:, 2] += shear * direction[:, 1]
    direction[:, 2] /= np.linalg.norm(direction[:, 2])
    source = grid(direction)
    voxels = np.random.default_rng(0).random(SHAPE) > 0.5
    voxels[[0, -1]] = voxels[:, [0, -1]] = voxels[:, :, [0, -1]] = False  # at the rim rounding decides for ITK
    target = around(source, spacing_mm)
    expected = by_simpleitk(voxels, source, target)
    found = label_array(source, {7: cropped(voxels)}, target)
    assert set(np.unique(found)) <= {0, 7}
    assert ((found == 7) != expected).mean() < 1e-4  # ties


def test_several_masks_keep_their_numbers():
    source = grid(np.eye(3))
    masks = {300: LesionMask((1, 1, 1), np.ones((3, 4, 5), bool)), 2: LesionMask((8, 9, 10), np.ones((2, 2, 2), bool))}
    labels = label_array(source, masks, source)
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(np.unique(labels, return_counts=True), [[0, 2, 300], [4032 - 68, 8, 60]])
    assert (labels[1:4, 1:5, 1:6] == 300).all()


def test_the_smaller_mask_wins_where_two_overlap():
    source = grid(np.eye(3))
    masks = {1: LesionMask((4, 4, 4), np.ones((2, 2, 2), bool)), 2: LesionMask((2, 2, 2), np.ones((6, 6, 6), bool))}
    labels = label_array(source, masks, source)
    assert (labels == 1).sum() == 8
    assert (labels == 2).sum() == 6**3 - 8


def test_a_mask_smaller_than_a_voxel_does_not_vanish():
    source = grid(np.eye(3), spacing=(0.5, 0.5, 0.5))
    masks = {5: LesionMask((5, 5, 5), np.ones((1, 1, 1), bool))}
    target = around(source, 3.0)
    labels = label_array(source, masks, target)
    assert (labels == 5).sum() == 1
    centre = target.to_world(np.argwhere(labels == 5))[0]
    assert np.abs(centre - source.to_world([(5, 5, 5)])[0]).max() <= 1.5


def test_a_mask_outside_the_grid_is_left_out():
    source = grid(np.eye(3))
    masks = {1: LesionMask((0, 0, 0), np.ones((2, 2, 2), bool))}
    assert not label_array(source, masks, source.crop((6, 6, 6), (4, 4, 4))).any()


@pytest.mark.parametrize("direction", ORIENTATIONS[::7])
def test_the_volume_of_a_mask_stays(direction):
    z, y, x = np.indices((40, 60, 60))
    voxels = ((z - 20) * 1.5) ** 2 + ((y - 30) * 0.8) ** 2 + ((x - 30) * 0.8) ** 2 <= 15**2
    source = grid(direction, (40, 60, 60), (1.5, 0.8, 0.8))
    target = around(source, 1.0)
    ml = (label_array(source, {1: cropped(voxels)}, target) == 1).sum() * target.voxel_mm3
    assert ml == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.02)
