from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.ct.geometry import Geometry
from medpipe.ct.resample import (
    block_means,
    canonical_axes,
    isotropic,
    resample,
    resample_mask,
    resample_through,
    to_canonical,
)
from medpipe.ct.volume import Volume

ORIENTATIONS = [
    tuple(tuple(float(sign * (axis == row)) for axis, sign in zip(order, signs, strict=True)) for row in range(3))
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
]


def volume_of(shape=(9, 11, 13), spacing=(2.5, 0.7, 0.9), direction=ORIENTATIONS[0], seed=0) -> Volume:
    array = np.random.default_rng(seed).integers(-1024, 1500, shape, dtype=np.int16)
    return Volume(array, Geometry(shape, spacing, (-10.0, 20.0, -300.0), direction))


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_canonical_axes_keep_every_voxel_at_its_place(direction):
    volume = volume_of(direction=direction)
    canonical = to_canonical(volume)
    assert canonical.geometry.direction == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    index = np.argwhere(np.ones(volume.array.shape, dtype=bool))
    there = canonical.geometry.to_voxel(volume.geometry.to_world(index)).round().astype(int)
    np.testing.assert_array_equal(canonical.array[tuple(there.T)], volume.array[tuple(index.T)])


@pytest.mark.parametrize("direction", ORIENTATIONS[::5])
def test_canonical_axes_agree_with_simpleitk(direction):
    volume = volume_of(direction=direction)
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array))
    expected = sitk.DICOMOrient(image, "LPS")
    canonical = to_canonical(volume)
    np.testing.assert_array_equal(canonical.array, sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(canonical.geometry.origin_xyz_mm, expected.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(canonical.geometry.spacing_zyx_mm, expected.GetSpacing()[::-1])


@settings(max_examples=40, deadline=None)
@given(angles=st.tuples(*[st.floats(-0.6, 0.6)] * 3), flip=st.sampled_from(ORIENTATIONS))
def test_oblique_scans_keep_their_obliqueness(angles, flip):
    rotation = sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()
    direction = np.reshape(rotation, (3, 3)) @ np.asarray(flip)
    geometry = Geometry((5, 6, 7), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), tuple(map(tuple, direction.tolist())))
    canonical, order, flipped = canonical_axes(geometry)
    assert (np.diag(np.asarray(canonical.direction)) > 0.3).all()
    corner = np.zeros(3)
    there = [geometry.shape_zyx[order[axis]] - 1 if axis in flipped else 0 for axis in range(3)]
    np.testing.assert_allclose(geometry.to_world([corner]), canonical.to_world([there]), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 14)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 3.0)] * 3),
    target_mm=st.floats(0.5, 3.0),
    seed=st.integers(0, 99),
)
def test_interpolation_is_within_one_unit_of_simpleitk(shape, spacing, target_mm, seed):
    volume = volume_of(shape, spacing, seed=seed)
    target = isotropic(volume.geometry, target_mm)
    image = sitk.GetImageFromArray(volume.array.astype(np.float32))
    filter_ = sitk.ResampleImageFilter()
    filter_.SetInterpolator(sitk.sitkLinear)
    reference = sitk.GetImageFromArray(np.zeros(target.shape_zyx, dtype=np.float32))
    filter_.SetReferenceImage(target.apply_to_sitk(reference))
    expected = sitk.GetArrayFromImage(filter_.Execute(volume.geometry.apply_to_sitk(image)))
    inner = tuple(slice(0, -1) if size > 1 else slice(None) for size in target.shape_zyx)
    difference = np.abs(resample(volume, target)[inner].astype(float) - expected[inner])
    assert difference.max() <= 1.0


def test_a_linear_ramp_stays_a_linear_ramp():
    z, y, x = np.indices((10, 12, 14))
    volume = Volume((10 * z + 20 * y - 30 * x).astype(np.int16), Geometry((10, 12, 14), (2.0, 1.0, 1.0)))
    target = isotropic(volume.geometry, 0.5)
    k, j, i = np.moveaxis(np.indices(target.shape_zyx), 0, 0) * 0.5
    np.testing.assert_array_equal(resample(volume, target), np.floor(5 * k + 20 * j - 30 * i + 0.5))


def test_a_cropped_target_has_the_same_voxels():
    volume = volume_of((20, 30, 40))
    whole = isotropic(volume.geometry, 1.1)
    part = whole.crop((3, 4, 5), (6, 7, 8))
    np.testing.assert_array_equal(resample(volume, part), resample(volume, whole)[3:9, 4:11, 5:13])


def test_beyond_the_volume_its_edge_is_repeated():
    volume = volume_of((3, 3, 3), (1.0, 1.0, 1.0))
    out = resample(volume, volume.geometry.crop((-2, 0, 0), (5, 3, 3)))
    np.testing.assert_array_equal(out, volume.array[[0, 0, 0, 1, 2]])


def test_different_axes_are_refused():
    volume = volume_of()
    with pytest.raises(ValueError, match="same axes"):
        resample(volume, volume_of(direction=ORIENTATIONS[7]).geometry)


def test_block_means_are_means_at_the_blocks_centres():
    volume = volume_of((9, 11, 13), (2.5, 0.7, 0.9))
    coarse = block_means(volume, 3.0)
    assert coarse.array.shape == (9, 2, 4)
    expected = volume.array[:, :8, :12].reshape(9, 2, 4, 4, 3).mean(axis=(2, 4))
    assert np.abs(coarse.array - expected).max() <= 1
    np.testing.assert_allclose(coarse.geometry.to_world([(0, 0, 0)]), volume.geometry.to_world([(0, 1.5, 1.0)]))


@pytest.mark.parametrize("spacing_mm", [0.8, 1.7, 3.1])
def test_a_mask_is_where_its_interpolation_is_at_least_a_half(spacing_mm: float):
    mask = (np.random.default_rng(0).random((9, 11, 13)) > 0.4).astype(np.uint8)
    geometry = Geometry(mask.shape, (2.5, 2.7, 2.9))
    target = isotropic(geometry, spacing_mm).crop((1, 0, 2), (6, 7, 8))
    thousandths = resample(Volume(mask.astype(np.int16) * np.int16(1000), geometry), target)
    found = resample_mask(mask, geometry, target)
    clear = thousandths != 500  # there rounding decides
    np.testing.assert_array_equal(found[clear], (thousandths > 500)[clear])


def test_values_looked_up_on_the_way_are_those_of_the_resampled_volume():
    volume = volume_of((20, 30, 40))
    table = np.random.default_rng(1).integers(0, 256, 2**16, dtype=np.uint8)
    target = isotropic(volume.geometry, 1.1)
    expected = table[resample(volume, target).astype(int) + 32768]
    np.testing.assert_array_equal(resample_through(volume, target, table), expected)


def test_a_table_that_is_too_short_is_refused():
    volume = volume_of()
    with pytest.raises(ValueError, match="65536 values"):
        resample_through(volume, volume.geometry, np.zeros(256, np.uint8))


def test_padding_counts_as_air():
    volume = volume_of((5, 6, 7))
    padded = Volume(np.where(volume.array < -500, np.int16(-3000), volume.array), volume.geometry)
    clamped = Volume(np.maximum(padded.array, -1024), volume.geometry)
    target = isotropic(volume.geometry, 1.1)
    np.testing.assert_array_equal(resample(padded, target), resample(clamped, target))
    np.testing.assert_array_equal(block_means(padded, 3.0).array, block_means(clamped, 3.0).array)
