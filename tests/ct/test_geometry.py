import itertools

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.ct.geometry import IDENTITY_DIRECTION, Geometry, VoxelBox, WorldBox
from medpipe.ct.resample import to_canonical
from medpipe.ct.volume import Volume

ORIENTATIONS = [
    tuple(tuple(float(sign * (column == axis)) for axis, sign in zip(axes, signs, strict=True)) for column in range(3))
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
SMALL_ANGLE_MRAD = 250
"""The nearest axes of a grid stay the same up to here, whoever works them out."""


unhurried = settings(deadline=None)


def rotated(orientation, angles) -> tuple[tuple[float, ...], ...]:
    """A direction turned a little, by SimpleITK's Euler angles."""
    matrix = np.reshape(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix(), (3, 3)) @ np.asarray(orientation)
    return tuple(map(tuple, matrix.tolist()))


def tilted(orientation, tilt) -> tuple[tuple[float, ...], ...]:
    """Gantry tilt: the slices stay as they are, the step from one to the next leans along their columns."""
    columns = np.array(orientation)
    columns[:, 2] += np.tan(tilt) * columns[:, 1]
    columns[:, 2] /= np.linalg.norm(columns[:, 2])
    return tuple(map(tuple, columns.tolist()))


orientations = st.sampled_from(ORIENTATIONS)
# Whole milliradians: ITK's decomposition of a NIfTI's affine fails at cosines of 1e-200.
milliradians = st.integers(-SMALL_ANGLE_MRAD, SMALL_ANGLE_MRAD)
angles = st.tuples(*[milliradians.map(lambda angle: angle / 1000)] * 3)
oblique = st.builds(rotated, orientations, angles)
sheared = st.builds(tilted, oblique, st.floats(-0.5, 0.5))
shapes = st.tuples(*[st.integers(2, 40)] * 3)
spacings = st.tuples(*[st.floats(0.3, 5.0)] * 3)
origins = st.tuples(*[st.floats(-500.0, 500.0)] * 3)
upright = st.builds(Geometry, shapes, spacings, origins, orientations)
geometries = st.builds(Geometry, shapes, spacings, origins, orientations | oblique)
any_geometry = st.builds(Geometry, shapes, spacings, origins, orientations | oblique | sheared)
places = st.tuples(*[st.floats(-50.0, 80.0)] * 3)
points = st.lists(places, min_size=1, max_size=5)
sizes = st.tuples(*[st.floats(0.0, 30.0)] * 3)


def voxel_box(start, size) -> VoxelBox:
    return VoxelBox(start, tuple(float(value) for value in np.add(start, size)))


def sitk_image(geometry: Geometry, array=None):
    array = np.zeros(geometry.shape_zyx, dtype=np.uint8) if array is None else array
    return geometry.apply_to_sitk(sitk.GetImageFromArray(array))


def noise(geometry: Geometry) -> Volume:
    array = np.random.default_rng(0).integers(-1024, 1500, geometry.shape_zyx, dtype=np.int16)
    return Volume(array, geometry)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@unhurried
@given(any_geometry, points)
def test_world_and_voxel_are_inverse(geometry, voxels):
    np.testing.assert_allclose(geometry.to_voxel(geometry.to_world(voxels)), voxels, atol=1e-6)


@unhurried
@given(geometries, points)
def test_same_world_as_simpleitk(geometry, voxels):
    image = sitk_image(geometry)
    expected = [image.TransformContinuousIndexToPhysicalPoint(voxel[::-1]) for voxel in voxels]
    np.testing.assert_allclose(geometry.to_world(voxels), expected, atol=1e-6)
    assert Geometry.from_sitk(image) == geometry


@unhurried
@given(geometries, points)
def test_same_voxels_as_simpleitk(geometry, world):
    image = sitk_image(geometry)
    expected = [image.TransformPhysicalPointToContinuousIndex(point)[::-1] for point in world]
    np.testing.assert_allclose(geometry.to_voxel(world), expected, atol=1e-6)


@unhurried
@given(any_geometry, points)
def test_same_world_as_nibabel(geometry, voxels):
    image = nib.Nifti1Image(np.zeros(geometry.shape_zyx[::-1], dtype=np.uint8), geometry.affine_ras)
    ras = nib.affines.apply_affine(image.affine, np.asarray(voxels)[:, ::-1])
    np.testing.assert_allclose(geometry.to_world(voxels), ras * (-1, -1, 1), atol=1e-6)
    np.testing.assert_allclose(geometry.spacing_zyx_mm[::-1], nib.affines.voxel_sizes(image.affine), rtol=1e-9)


@unhurried
@given(geometries, points)
def test_the_affine_survives_a_nifti_that_simpleitk_writes(tmp_path_factory, geometry, voxels):
    file = tmp_path_factory.getbasetemp() / "orientation.nii"
    sitk.WriteImage(sitk_image(geometry), str(file))
    image = nib.load(file)
    there = Geometry.from_affine_ras(image.affine, image.shape[::-1])
    assert there.shape_zyx == geometry.shape_zyx
    # NIfTI keeps the affine in single precision: 3e-5 mm at 500 mm, 80 voxels on a little more.
    np.testing.assert_allclose(there.to_world(voxels), geometry.to_world(voxels), atol=2e-3)


@unhurried
@given(any_geometry)
def test_affine_round_trip(geometry):
    there = Geometry.from_affine_ras(geometry.affine_ras, geometry.shape_zyx)
    np.testing.assert_allclose(there.affine_lps, geometry.affine_lps, atol=1e-9)
    np.testing.assert_allclose(there.spacing_zyx_mm, geometry.spacing_zyx_mm)


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_axis_codes_are_nibabels(direction):
    letters = [("L", "R"), ("P", "A"), ("S", "I")]
    columns = np.asarray(direction).T
    world = np.abs(columns).argmax(axis=1)
    expected = tuple(letters[axis][int(column[axis] < 0)] for axis, column in zip(world, columns, strict=True))
    assert nib.aff2axcodes(Geometry((2, 3, 4), (1.0, 2.0, 3.0), direction=direction).affine_ras) == expected


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), "reshape"),
        (np.diag([1, 1, 0, 1]), "length 0"),
        (np.diag([1, 1, np.nan, 1]), "finite"),
        (np.diag([1, 1, np.inf, 1]), "finite"),
        (np.diag([1, 1, 1, 2]), "0 0 0 1"),
        ([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], "one plane"),
    ],
)
def test_an_affine_that_is_no_grid_is_refused(affine, message):
    with pytest.raises(ValueError, match=message):
        Geometry.from_affine_ras(affine, (2, 3, 4))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@settings(max_examples=6, deadline=None)
@given(angles=angles, shape=st.tuples(*[st.integers(2, 9)] * 3), spacing=spacings, origin=origins)
def test_canonical_axes_agree_with_simpleitk_and_nibabel(orientation, angles, shape, spacing, origin):
    volume = noise(Geometry(shape, spacing, origin, rotated(orientation, angles)))
    canonical = to_canonical(volume)
    affine = canonical.geometry.affine_ras
    assert nib.aff2axcodes(affine) == ("L", "P", "S")

    itk = sitk.DICOMOrient(sitk_image(volume.geometry, volume.array), "LPS")
    np.testing.assert_array_equal(canonical.array, sitk.GetArrayFromImage(itk))
    np.testing.assert_allclose(canonical.geometry.affine_lps, Geometry.from_sitk(itk).affine_lps, atol=1e-6)

    ras = nib.as_closest_canonical(nib.Nifti1Image(volume.array.transpose(), volume.geometry.affine_ras))
    lps = ras.as_reoriented(nib.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], [[0, -1], [1, -1], [2, 1]]))
    np.testing.assert_array_equal(canonical.array, np.asarray(lps.dataobj).transpose())
    np.testing.assert_allclose(affine, lps.affine, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(any_geometry)
def test_canonical_axes_keep_every_voxel_at_its_place(geometry):
    geometry = Geometry((4, 5, 6), geometry.spacing_zyx_mm, geometry.origin_xyz_mm, geometry.direction)
    volume = noise(geometry)
    canonical = to_canonical(volume)
    index = np.argwhere(np.ones(volume.array.shape, dtype=bool))
    there = canonical.geometry.to_voxel(geometry.to_world(index))
    np.testing.assert_allclose(there, there.round(), atol=1e-6)
    np.testing.assert_array_equal(canonical.array[tuple(there.round().astype(int).T)], volume.array.ravel())


@unhurried
@given(any_geometry, st.tuples(*[st.integers(-5, 5)] * 3))
def test_crop_keeps_the_world(geometry, start):
    cropped = geometry.crop(start, (4, 5, 6))
    np.testing.assert_allclose(cropped.to_world([(1, 2, 3)]), geometry.to_world([np.add(start, (1, 2, 3))]), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(geometries, st.data())
def test_crop_agrees_with_simpleitk(geometry, data):
    start = [data.draw(st.integers(0, size - 1)) for size in geometry.shape_zyx]
    shape = [data.draw(st.integers(1, size - first)) for size, first in zip(geometry.shape_zyx, start, strict=True)]
    expected = sitk.RegionOfInterest(sitk_image(geometry), shape[::-1], start[::-1])
    cropped = geometry.crop(tuple(start), tuple(shape))
    assert cropped.shape_zyx == expected.GetSize()[::-1]
    np.testing.assert_allclose(cropped.origin_xyz_mm, expected.GetOrigin(), atol=1e-6)
    assert np.reshape(expected.GetDirection(), (3, 3)).tolist() == [list(row) for row in cropped.direction]


@unhurried
@given(any_geometry)
def test_dictionary_round_trip(geometry):
    assert Geometry.from_dict(geometry.to_dict()) == geometry


@unhurried
@given(any_geometry)
def test_bounds_are_those_of_the_eight_corners(geometry):
    low, high = geometry.world_bounds
    corners = geometry.to_world(list(itertools.product(*[(0, n - 1) for n in geometry.shape_zyx])))
    np.testing.assert_allclose([low, high], [corners.min(axis=0), corners.max(axis=0)], atol=1e-9)


@pytest.mark.parametrize(("voxel", "inside"), [((0, 0, 0), True), ((-0.6, 0, 0), False), ((3.4, 4.4, 5.4), True)])
def test_contains_reaches_to_the_voxels_edges(voxel, inside):
    geometry = Geometry((4, 5, 6), (2.5, 0.7, 0.7), (-100.0, 50.0, 7.0))
    assert geometry.contains(geometry.to_world([voxel])).tolist() == [inside]


@unhurried
@given(upright, places, sizes)
def test_boxes_round_trip_in_all_orientations(geometry, start, size):
    box = voxel_box(start, size)
    world = geometry.to_world_box(box)
    there = geometry.to_voxel_box(world)
    np.testing.assert_allclose([there.low, there.high], [box.low, box.high], atol=1e-6)
    np.testing.assert_allclose(geometry.to_world([box.centre])[0], world.centre, atol=1e-6)
    edges_mm = np.abs(geometry.direction) @ (np.multiply(box.size, geometry.spacing_zyx_mm)[::-1])
    np.testing.assert_allclose(world.size, edges_mm, atol=1e-6)


@unhurried
@given(any_geometry, places, sizes)
def test_a_box_of_another_frame_encloses_the_box_and_keeps_its_centre(geometry, start, size):
    box = voxel_box(start, size)
    world = geometry.to_world_box(box)
    there = geometry.to_voxel_box(world)
    assert np.all(np.subtract(there.low, box.low) <= 1e-6)
    assert np.all(np.subtract(there.high, box.high) >= -1e-6)
    np.testing.assert_allclose(geometry.to_voxel([world.centre])[0], box.centre, atol=1e-6)
    inside = np.asarray(box.low) + np.random.default_rng(0).random((50, 3)) * box.size
    reached = geometry.to_world(inside)
    assert ((reached >= np.asarray(world.low) - 1e-6) & (reached <= np.asarray(world.high) + 1e-6)).all()


@unhurried
@given(upright, st.data())
def test_a_box_of_whole_voxels_has_simpleitks_bounds_and_gives_the_voxels_back(geometry, data):
    start = tuple(data.draw(st.integers(0, size - 1)) for size in geometry.shape_zyx)
    shape = tuple(
        data.draw(st.integers(1, size - first)) for size, first in zip(geometry.shape_zyx, start, strict=True)
    )
    labels = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    labels[tuple(slice(first, first + size) for first, size in zip(start, shape, strict=True))] = 1
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(sitk_image(geometry, labels))
    box = VoxelBox.of_voxels(start, shape)
    world = geometry.to_world_box(box)
    np.testing.assert_allclose(world.centre, statistics.GetCentroid(1), atol=1e-6)
    assert np.prod(world.size) == pytest.approx(statistics.GetPhysicalSize(1))
    there = geometry.to_voxel_box(world).slices(geometry.shape_zyx)
    assert there == tuple(slice(first, first + size) for first, size in zip(start, shape, strict=True))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ((0.6, 0.4, -7.0), (2.4, 0.6, 70.0), (slice(1, 3), slice(1, 1), slice(0, 6))),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (slice(1, 2), slice(2, 3), slice(3, 4))),
        ((9.0, -5.0, 5.5), (12.0, -1.0, 5.9), (slice(4, 4), slice(0, 0), slice(6, 6))),
    ],
)
def test_slices_of_a_box_stay_in_the_array(low, high, expected):
    assert VoxelBox(low, high).slices((4, 5, 6)) == expected


def test_the_box_of_a_grid_is_half_a_voxel_wider_than_the_centres():
    geometry = Geometry((4, 5, 6), (2.0, 1.0, 0.5), (10.0, 20.0, 30.0))
    assert geometry.to_world_box(geometry.box) == WorldBox((9.75, 19.5, 29.0), (12.75, 24.5, 37.0))


def test_the_box_of_a_finding_is_as_wide_as_its_diameter():
    assert WorldBox.around((1.0, 2.0, 3.0), 4.0) == WorldBox((-1.0, 0.0, 1.0), (3.0, 4.0, 5.0))


@pytest.mark.parametrize(("low", "high"), [((0, 0, 1), (1, 1, 0)), ((0, 0), (1, 1)), ((0, 0, 0), (1, 1, np.nan))])
def test_a_box_inside_out_is_refused(low, high):
    with pytest.raises(ValueError, match="low <= high"):
        WorldBox(low, high)


@unhurried
@given(st.builds(Geometry, shapes, spacings, origins, sheared))
def test_the_volume_of_a_voxel_is_that_of_its_corners(geometry):
    edges = np.diff(geometry.to_world([(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 1, 0), (0, 0, 0), (1, 0, 0)]), axis=0)[::2]
    assert geometry.voxel_mm3 == pytest.approx(abs(np.dot(np.cross(edges[0], edges[1]), edges[2])))


@pytest.mark.parametrize(("tilt_deg", "orthogonal"), [(0.0, True), (0.02, True), (0.2, False), (20.0, False)])
def test_gantry_tilt_is_not_orthogonal(tilt_deg, orthogonal):
    direction = tilted(IDENTITY_DIRECTION, np.radians(tilt_deg))
    assert Geometry((4, 5, 6), (1.0, 1.0, 1.0), direction=direction).is_orthogonal is orthogonal
