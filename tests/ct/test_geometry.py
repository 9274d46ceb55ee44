import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from medpipe.ct.geometry import Geometry

ORIENTATIONS = [
    tuple(tuple(float(sign * (column == axis)) for axis, sign in zip(axes, signs, strict=True)) for column in range(3))
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]

geometries = st.builds(
    Geometry,
    st.tuples(*[st.integers(2, 40)] * 3),
    st.tuples(*[st.floats(0.3, 5.0)] * 3),
    st.tuples(*[st.floats(-500.0, 500.0)] * 3),
    st.sampled_from(ORIENTATIONS),
)
points = st.lists(st.tuples(*[st.floats(-50.0, 80.0)] * 3), min_size=1, max_size=5)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@given(geometries, points)
def test_world_and_voxel_are_inverse(geometry, voxels):
    np.testing.assert_allclose(geometry.to_voxel(geometry.to_world(voxels)), voxels, atol=1e-6)


@given(geometries, points)
def test_same_world_as_simpleitk(geometry, voxels):
    image = geometry.apply_to_sitk(sitk.Image(geometry.shape_zyx[::-1], sitk.sitkUInt8))
    expected = [image.TransformContinuousIndexToPhysicalPoint(voxel[::-1]) for voxel in voxels]
    np.testing.assert_allclose(geometry.to_world(voxels), expected, atol=1e-6)
    assert Geometry.from_sitk(image) == geometry


@given(geometries, st.tuples(*[st.integers(-5, 5)] * 3))
def test_crop_keeps_the_world(geometry, start):
    cropped = geometry.crop(start, (4, 5, 6))
    np.testing.assert_allclose(cropped.to_world([(1, 2, 3)]), geometry.to_world([np.add(start, (1, 2, 3))]), atol=1e-6)


@given(geometries)
def test_dictionary_round_trip(geometry):
    assert Geometry.from_dict(geometry.to_dict()) == geometry


@given(geometries)
def test_bounds_enclose_every_corner(geometry):
    low, high = geometry.world_bounds
    corners = geometry.to_world([(0, 0, 0), [n - 1 for n in geometry.shape_zyx]])
    assert (corners >= low - 1e-6).all()
    assert (corners <= high + 1e-6).all()


@pytest.mark.parametrize(("voxel", "inside"), [((0, 0, 0), True), ((-0.6, 0, 0), False), ((3.4, 4.4, 5.4), True)])
def test_contains_reaches_to_the_voxels_edges(voxel, inside):
    geometry = Geometry((4, 5, 6), (2.5, 0.7, 0.7), (-100.0, 50.0, 7.0))
    assert geometry.contains(geometry.to_world([voxel])).tolist() == [inside]
