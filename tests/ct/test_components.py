import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from medpipe.ct.components import bounding_box, fill_holes, fill_holes_in_plane, label, lookup
from medpipe.ct.morphology import dilate, erode, within

MASKS = arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=9))
IN_PLANE = np.array([np.zeros((3, 3)), ndimage.generate_binary_structure(2, 1), np.zeros((3, 3))], dtype=bool)


@settings(max_examples=200, deadline=None)
@given(mask=MASKS, in_plane=st.booleans())
def test_labels_are_those_of_scipy(mask: np.ndarray, in_plane: bool):
    labels, sizes = label(mask, in_plane)
    expected, count = ndimage.label(mask, IN_PLANE if in_plane else None)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(sizes[1:], np.bincount(expected.ravel(), minlength=count + 1)[1:])
    assert sizes[0] == 0


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_labels_of_a_large_mask_are_those_of_scipy(share: float):
    mask = np.random.default_rng(0).random((40, 50, 60)) < share
    np.testing.assert_array_equal(label(mask)[0], ndimage.label(mask)[0])


@pytest.mark.parametrize("table", [np.array([True, False, True]), np.array([7, 0, 255], dtype=np.uint8)])
def test_a_lookup_is_that_of_numpy(table: np.ndarray):
    labels = np.random.default_rng(0).integers(0, 3, (4, 5, 6), dtype=np.int32)
    found = lookup(table, labels)
    assert found.dtype == table.dtype
    np.testing.assert_array_equal(found, table[labels])


@settings(max_examples=100, deadline=None)
@given(mask=MASKS)
def test_holes_are_filled_as_by_scipy(mask: np.ndarray):
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))
    expected = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    np.testing.assert_array_equal(fill_holes_in_plane(mask), expected)


@settings(max_examples=100, deadline=None)
@given(mask=MASKS)
def test_the_box_is_that_of_scipy(mask: np.ndarray):
    boxes = ndimage.find_objects(mask.astype(int))
    assert bounding_box(mask) == (boxes[0] if boxes else None)


@settings(max_examples=100, deadline=None)
@given(mask=MASKS, steps=st.integers(0, 3))
def test_steps_are_those_of_scipy(mask: np.ndarray, steps: int):
    expected = ndimage.binary_dilation(mask, iterations=steps) if steps else mask
    np.testing.assert_array_equal(dilate(mask, steps), expected)
    eroded = ndimage.binary_erosion(mask, iterations=steps, border_value=1) if steps else mask
    np.testing.assert_array_equal(erode(mask, steps), eroded)


@settings(max_examples=100, deadline=None)
@given(mask=MASKS, distance_mm=st.sampled_from([0.0, 1.0, 2.5, 4.1, 9.3]))
def test_distances_are_those_of_scipy(mask: np.ndarray, distance_mm: float):
    spacing = (2.5, 0.7, 1.1)
    expected = ndimage.distance_transform_edt(~mask, spacing) if mask.any() else np.full(mask.shape, np.inf)
    clear = np.abs(expected - distance_mm) > 1e-3  # at the very distance rounding decides
    np.testing.assert_array_equal(within(mask, distance_mm, spacing)[clear], (expected <= distance_mm)[clear])


@pytest.mark.parametrize("width", [63, 64, 65, 130])
def test_distances_across_words_of_64_voxels_are_those_of_scipy(width: int):
    mask = np.random.default_rng(width).random((6, 7, width)) < 0.01
    expected = ndimage.distance_transform_edt(~mask, (3.0, 2.8, 2.8)) <= 9.5
    np.testing.assert_array_equal(within(mask, 9.5, (3.0, 2.8, 2.8)), expected)
