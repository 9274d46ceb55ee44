from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import label_maps
from medpipe.ct.labels.base import Finding, LabelError, LesionMask
from medpipe.ct.labels.grids import findings_of_voxels, onto_grid
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers.base import ScanRef
from tests.ct.labels.shapes import CENTRES_ZYX, GRIDS, SHAPE, ball, check_balls, files_in, run

AXIAL = GRIDS["axial"]


def write(file: Path, values: np.ndarray, geometry: Geometry) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(geometry.apply_to_sitk(sitk.GetImageFromArray(values)), str(file))
    return file


def labels_of(geometry: Geometry, of: Geometry) -> np.ndarray:
    values = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    for value, centre in enumerate(CENTRES_ZYX, start=1):
        values[ball(geometry, centre, of)] = value
    return values


def find(folder: Path, scans: list[ScanRef], **labels) -> dict[str, list[Finding]]:
    params = IngestCTParams(labels=LabelParams(**labels))
    jobs = label_maps.discover(folder, files_in(folder), scans, params)
    geometry = {scan.series_uid: scan.geometry for scan in scans}
    return {uid: run(found, geometry[uid]) for uid, found in jobs.items()}


@pytest.mark.parametrize("name", ["a_seg.nii.gz", "a_seg.nrrd", "a_seg.mha"])
def test_balls_are_found_where_they_are(tmp_path: Path, grid: Geometry, name: str):
    write(tmp_path / "a.nii.gz", np.zeros(SHAPE, np.int16), grid)
    write(tmp_path / name, labels_of(grid, grid), grid)
    found = find(tmp_path, [ScanRef("a", "a", "image", "a.nii.gz", grid)])["a"]
    check_balls(found, grid)
    assert [item.label for item in found] == ["value 1", "value 2"]


def test_any_order_and_direction_of_axes_gives_the_same_voxels(tmp_path: Path, grid: Geometry):
    """The same label map written along other axes by nibabel, all 48 ways."""
    values = labels_of(grid, grid)
    write(tmp_path / "a_seg.nii", values, grid)
    image = nibabel.load(tmp_path / "a_seg.nii")
    expected = label_maps.findings_of_map(tmp_path / "a_seg.nii", grid, LabelParams())
    for order, signs in product(permutations(range(3)), product((-1, 1), repeat=3)):
        nibabel.save(image.as_reoriented(np.column_stack([order, signs])), tmp_path / "b_seg.nii")
        found = label_maps.findings_of_map(tmp_path / "b_seg.nii", grid, LabelParams())
        for one, other in zip(found, expected, strict=True):
            assert one.centre_xyz_mm == pytest.approx(other.centre_xyz_mm)
            assert one.mask is not None
            assert other.mask is not None
            assert one.mask.start_zyx == other.mask.start_zyx
            np.testing.assert_array_equal(one.mask.voxels, other.mask.voxels)


def test_a_map_on_a_finer_turned_grid_is_looked_up(tmp_path: Path, grid: Geometry):
    turned = GRIDS["oblique" if grid is not GRIDS["oblique"] else "axial"].direction
    fine = Geometry((30, 30, 30), (1.0, 0.9, 0.8), direction=turned)
    shift = grid.to_world(CENTRES_ZYX[:1])[0] - fine.to_world([(14.3, 14.8, 15.1)])[0]
    fine = replace(fine, origin_xyz_mm=tuple(shift.tolist()))
    values = np.zeros(fine.shape_zyx, dtype=np.uint8)
    values[ball(fine, CENTRES_ZYX[0], grid)] = 1
    assert values[1:-1, 1:-1, 1:-1].sum() == values.sum() > 1000
    write(tmp_path / "a_seg.nii.gz", values, fine)
    check_balls(
        label_maps.findings_of_map(tmp_path / "a_seg.nii.gz", grid, LabelParams()), grid, CENTRES_ZYX[:1], wrong=0.12
    )


def test_nearest_look_up_is_simpleitks(tmp_path: Path):
    scan, other = GRIDS["oblique"], replace(GRIDS["axial"], shape_zyx=(40, 60, 60), spacing_zyx_mm=(1.7, 1.1, 0.9))
    voxels = np.random.default_rng(0).random(other.shape_zyx) < 0.3
    image = other.apply_to_sitk(sitk.GetImageFromArray(voxels.astype(np.uint8)))
    reference = scan.apply_to_sitk(sitk.GetImageFromArray(np.zeros(SHAPE, np.uint8)))
    expected = sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor))
    mask = onto_grid(LesionMask((0, 0, 0), voxels), other, scan)
    assert mask is not None
    placed = np.zeros(SHAPE, bool)
    z, y, x = mask.start_zyx
    depth, height, width = mask.voxels.shape
    placed[z : z + depth, y : y + height, x : x + width] = mask.voxels
    assert np.count_nonzero(placed != expected.astype(bool)) <= 2e-4 * placed.size  # ties at half a voxel


def test_values_are_chosen_and_split_by_parameter():
    values = np.zeros(SHAPE, np.uint8)
    values[2:4, 2:4, 2:4] = 1
    values[4:6, 4:6, 4:6] = 1  # touches by a corner
    values[10:12, 10, 10] = 1
    values[20, 20, 20] = 7
    counts = [len(findings_of_voxels(values == 1, AXIAL, AXIAL, split=split, label=None)) for split in (True, False)]
    assert counts == [2, 1]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["value 1", "value 1", "value 7"]),
        ({"split_components": False}, ["value 1", "value 7"]),
        ({"map_values": (7, 9)}, ["value 7"]),
        ({"map_values": (9,)}, []),
    ],
)
def test_parameters_choose_values_and_parts(tmp_path: Path, labels: dict, expected: list[str]):
    values = np.zeros(SHAPE, np.int16)
    values[2:4, 2:4, 2:4] = 1
    values[10:12, 10, 10] = 1
    values[20, 20, 20] = 7
    write(tmp_path / "a_seg.nrrd", values, AXIAL)
    write(tmp_path / "a.nrrd", values, AXIAL)
    found = find(tmp_path, [ScanRef("a", "a", "image", "a.nrrd", AXIAL)], **labels)
    assert [item.label for item in found["a"]] == expected


def test_an_empty_map_says_that_there_is_no_finding(tmp_path: Path):
    write(tmp_path / "a_seg.nrrd", np.zeros(SHAPE, np.uint8), AXIAL)
    assert label_maps.findings_of_map(tmp_path / "a_seg.nrrd", AXIAL, LabelParams()) == []


def test_whole_numbers_written_as_floats_are_labels(tmp_path: Path):
    values = np.zeros(SHAPE, np.float64)
    values[3, 3, 3] = 2.0
    write(tmp_path / "a_seg.nii.gz", values, AXIAL)
    (found,) = label_maps.findings_of_map(tmp_path / "a_seg.nii.gz", AXIAL, LabelParams())
    assert found.label == "value 2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values, at: (values + 0.5, at), "no whole numbers"),
        (lambda values, at: (values, replace(at, origin_xyz_mm=(500.0, 0.0, 0.0))), "do not overlap"),
        (lambda values, at: (np.arange(values.size, dtype=np.int32).reshape(SHAPE), at), "values, at most 256"),
        (lambda values, at: (np.random.default_rng(0).random((80, 80, 80)) < 0.04, at), "parts that do not touch"),
        (lambda values, at: (np.stack([values, values], axis=-1), at), "several values"),
    ],
    ids=["fractions", "elsewhere", "scan", "noise", "vectors"],
)
def test_what_is_no_label_map_of_the_scan_is_refused(tmp_path: Path, change, words: str):
    values = np.zeros(SHAPE, np.float32)
    values[3, 3, 3] = 1
    values, at = change(values, AXIAL)
    image = sitk.GetImageFromArray(
        values.astype(np.uint8) if values.dtype == bool else values, isVector=values.ndim > 3
    )
    sitk.WriteImage(at.apply_to_sitk(image), str(tmp_path / "Doe_seg.nrrd"))
    with pytest.raises(LabelError, match=words) as caught:
        label_maps.findings_of_map(tmp_path / "Doe_seg.nrrd", AXIAL, LabelParams())
    assert "Doe" not in str(caught.value)


def test_a_part_outside_of_the_scan_keeps_its_place(tmp_path: Path):
    tall = replace(AXIAL, shape_zyx=(60, 40, 44))
    values = np.zeros(tall.shape_zyx, np.uint8)
    values[5, 5, 5] = values[50, 5, 5] = 1
    write(tmp_path / "a_seg.nrrd", values, tall)
    inside, outside = label_maps.findings_of_map(tmp_path / "a_seg.nrrd", AXIAL, LabelParams())
    assert inside.mask is not None
    assert outside.mask is None
    assert outside.centre_xyz_mm == pytest.approx(tuple(tall.to_world([(50, 5, 5)])[0]))
    assert not AXIAL.contains([outside.centre_xyz_mm])[0]


def test_maps_go_to_their_scans_in_every_layout(tmp_path: Path):
    values = np.zeros(SHAPE, np.uint8)
    values[3, 3, 3] = 1
    names = {
        "one/a.nii.gz": "one/a_seg.nii.gz",
        "msd/imagesTr/b.nii.gz": "msd/labelsTr/b.nii.gz",
        "nnunet/imagesTr/c_0000.nii.gz": "nnunet/labelsTr/c.nii.gz",
        "luna/d.mhd": "luna/d_seg.nrrd",
    }
    scans = [ScanRef("1.2.840.1", "p", "dicom", "dicom/series", AXIAL)]
    write(tmp_path / "maps" / "1.2.840.1_seg.nii.gz", values, AXIAL)
    for scan, label_map in names.items():
        write(tmp_path / scan, values, AXIAL)
        write(tmp_path / label_map, values, AXIAL)
        scans.append(ScanRef(scan, "p", "image", scan, AXIAL))
    write(tmp_path / "imagesTr" / "x.nii.gz", values, AXIAL)
    write(tmp_path / "labelsTr" / "lost.nii.gz", values, AXIAL)
    found = find(tmp_path, scans)
    assert len(found) == 5
    assert {len(items) for items in found.values()} == {1}
