"""The lung mask on real scans; every number was checked against pictures of the masks (`medpipe.reporting.lungs`)."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from medpipe.ct.ingest import Intake, ingest
from medpipe.ct.lungs import Lungs, find_lungs
from medpipe.ct.params import ConsensusParams, GateParams, IngestCTParams, LungParams, PreprocessParams
from medpipe.ct.preprocess import prepare
from medpipe.ct.readers import dicom
from medpipe.ct.resample import block_means, to_canonical
from medpipe.ct.volume import Volume
from medpipe.reporting.lungs import lung_sheet
from medpipe.reporting.scans import Mark

SERIES = {
    "LIDC-IDRI-0001": "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192",
    "LIDC-IDRI-0063": "1.3.6.1.4.1.14519.5.2.1.6279.6001.272190966764020277652079081128",
    "LIDC-IDRI-0002-slab": "1.3.6.1.4.1.14519.5.2.1.6279.6001.619372068417051974713149104919",
    "LIDC-IDRI-0003-slab": "1.3.6.1.4.1.14519.5.2.1.6279.6001.170706757615202213033480003264",
}
WHOLE = ("LIDC-IDRI-0001", "LIDC-IDRI-0063")
CARINA_Z_MM = {"LIDC-IDRI-0001": -130.0, "LIDC-IDRI-0063": -150.0}
CENTRAL_MM = 25.0
"""How far to the sides of the carina main bronchi are certainly not in a lung."""

IN_THE_TRACHEA_MM = {"LIDC-IDRI-0001": (-0.5, -19.0, -28.0), "LIDC-IDRI-0063": (9.4, -39.4, -50.5)}
BOWEL_GAS_BELOW_MM = {"LIDC-IDRI-0001": -295.0, "LIDC-IDRI-0063": -283.0}
"""World z of the lowest tip of the lungs: what gas lies below is in the bowel."""


@cache
def read(data: Path, patient: str) -> Volume:
    return to_canonical(dicom.read_volume(data / "lidc" / patient, "dicom", SERIES[patient]))


@cache
def lungs_of(data: Path, patient: str) -> Lungs:
    return find_lungs(read(data, patient), LungParams())


@pytest.fixture(scope="module")
def intake(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Intake:
    params = IngestCTParams(
        n_jobs=1, gate=GateParams(min_extent_mm=0), consensus=ConsensusParams(min_readers=1), pseudonyms="never"
    )
    return ingest(shared_data / "lidc", params, tmp_path_factory.mktemp("masks"))


def at(lungs: Lungs, array: np.ndarray, points_xyz: np.ndarray) -> np.ndarray:
    index = np.rint(lungs.geometry.to_voxel(points_xyz)).astype(int)
    inside = ((index >= 0) & (index < array.shape)).all(axis=1)
    return np.where(inside, array[tuple(np.where(inside[:, None], index, 0).T)], 0)


@pytest.mark.parametrize("patient", WHOLE)
def test_volumes_are_those_of_an_adult(shared_data: Path, patient: str):
    lungs = lungs_of(shared_data, patient)
    litres = (lungs.closed > 0).sum() * lungs.geometry.voxel_mm3 / 1e6
    assert 2.0 < litres < 8.0
    assert 0.5 < lungs.left_ml / lungs.right_ml < 1.0  # the heart takes from the left lung


@pytest.mark.parametrize("patient", WHOLE)
def test_trachea_and_main_bronchi_are_outside(shared_data: Path, patient: str):
    volume, lungs = read(shared_data, patient), lungs_of(shared_data, patient)
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array))
    seed = image.TransformPhysicalPointToIndex(IN_THE_TRACHEA_MM[patient])
    lumen = sitk.GetArrayFromImage(sitk.ConnectedThreshold(image, [seed], -3000, -910)) > 0
    assert 15 < lumen.sum() * volume.geometry.voxel_mm3 / 1000 < 80
    world = volume.geometry.to_world(np.argwhere(lumen))
    inside = at(lungs, lungs.closed, world) > 0
    assert inside.mean() < 0.15  # lobar and segmental bronchi within the lungs
    central = (np.abs(world[:, 0]) < CENTRAL_MM) & (world[:, 2] > CARINA_Z_MM[patient] - CENTRAL_MM / 2)
    assert central.mean() > 0.6
    assert inside[central].mean() < 0.01


def test_gas_in_the_colon_beside_the_lung_is_outside(shared_data: Path):
    volume, lungs = read(shared_data, WHOLE[0]), lungs_of(shared_data, WHOLE[0])
    world = volume.geometry.to_world(np.argwhere(volume.array[:, ::2, ::2] < -900) * (1, 2, 2))
    gas = world[np.linalg.norm(world - (120.0, -34.0, -230.0), axis=1) < 15]
    assert len(gas) > 300
    assert not at(lungs, lungs.mask, gas).any()


@pytest.mark.parametrize("patient", WHOLE)
def test_gas_in_the_bowel_is_outside(shared_data: Path, patient: str):
    volume, lungs = read(shared_data, patient), lungs_of(shared_data, patient)
    gas = np.argwhere(volume.array[:, ::4, ::4] < -900) * (1, 4, 4)
    world = volume.geometry.to_world(gas)
    low = world[world[:, 2] < BOWEL_GAS_BELOW_MM[patient]]
    assert len(low)
    assert not at(lungs, lungs.mask, low).any()


@pytest.mark.parametrize("patient", SERIES)
def test_nodules_are_inside(shared_data: Path, intake: Intake, patient: str):
    volume = dicom.read_volume(shared_data / "lidc" / patient, "dicom", SERIES[patient])
    masks = intake.masks.read(SERIES[patient])
    nodules = intake.nodules[(intake.nodules["series_uid"] == SERIES[patient]) & intake.nodules["has_mask"]]
    if masks is None:
        assert patient == "LIDC-IDRI-0002-slab"
        assert nodules.empty
        return
    scan = prepare(volume, PreprocessParams(spacing_mm=1.0), masks)
    assert scan.labels is not None
    for number, row in zip(sorted(masks[1]), nodules.sort_values("finding_id").to_dict("records"), strict=True):
        assert row["finding_id"].endswith(f"/{number:03d}")
        (centre,) = np.rint(scan.geometry.to_voxel([(row["x_mm"], row["y_mm"], row["z_mm"])])).astype(int)
        inside = scan.lung[scan.labels == number].mean()
        assert scan.lung[tuple(centre)] == 1
        assert inside >= 0.95, f"nodule {number} of {row['readers']} readers"


def test_luna16_nodules_are_inside_as_balls(shared_data: Path):
    table = pd.read_csv(shared_data / "luna16_csv" / "annotations.csv")
    ball = np.argwhere(np.ones((9, 9, 9), dtype=bool)) - 4
    ball = ball[np.linalg.norm(ball, axis=1) <= 4] / 4
    counted = 0
    for patient in WHOLE:
        lungs = lungs_of(shared_data, patient)
        rows = table[table["seriesuid"] == SERIES[patient]]
        for x, y, z, diameter_mm in rows[["coordX", "coordY", "coordZ", "diameter_mm"]].to_numpy():
            counted += 1
            assert at(lungs, lungs.mask, np.array([x, y, z]) + ball * diameter_mm / 2).all()
    assert counted == 3


@pytest.mark.parametrize("patient", WHOLE)
@pytest.mark.parametrize("diameter_mm", [20, 30, 40])
def test_a_mass_on_the_pleura_is_inside(shared_data: Path, patient: str, diameter_mm: float):
    volume, lungs = read(shared_data, patient), lungs_of(shared_data, patient)
    right = lungs.closed == 1
    z = int(np.median(np.nonzero(right)[0]))
    y = int(np.mean(np.nonzero(right[z].any(axis=1))[0]))
    pleura = lungs.geometry.to_world([(z, y, np.flatnonzero(right[z, y])[0])])[0]
    centre = volume.geometry.to_voxel([pleura + np.array([diameter_mm / 2 - 3, 0, 0])])[0]
    axes = np.indices(volume.array.shape, sparse=True)
    squares = [((a - c) * mm) ** 2 for a, c, mm in zip(axes, centre, volume.geometry.spacing_zyx_mm, strict=True)]
    mass = sum(squares) <= (diameter_mm / 2) ** 2
    found = find_lungs(Volume(np.where(mass, np.int16(40), volume.array), volume.geometry), LungParams())
    assert at(found, found.mask, volume.geometry.to_world(np.argwhere(mass))).mean() > 0.95


@pytest.mark.parametrize("patient", WHOLE)
def test_lungs_cut_by_a_small_field_of_view_stay(shared_data: Path, patient: str):
    volume, whole = read(shared_data, patient), lungs_of(shared_data, patient)
    array = volume.array.copy()
    array[:, :, :110] = array[:, :, 400:] = -2000
    lungs = find_lungs(Volume(array, volume.geometry), LungParams())
    assert lungs.right_ml + lungs.left_ml > 0.85 * (whole.right_ml + whole.left_ml)


@pytest.mark.parametrize("patient", WHOLE)
def test_thick_slices_and_noise_change_little(shared_data: Path, patient: str):
    volume, whole = read(shared_data, patient), lungs_of(shared_data, patient)
    noise = np.random.default_rng(0).normal(0, 80, volume.array[::2].shape)
    array = (np.maximum(volume.array[::2], -1024) + noise).astype(np.int16)
    depth, height, width = volume.geometry.spacing_zyx_mm
    geometry = replace(volume.geometry, shape_zyx=array.shape, spacing_zyx_mm=(2 * depth, height, width))
    lungs = find_lungs(Volume(array, geometry), LungParams())
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((whole.right_ml, whole.left_ml), rel=0.02)
    assert lungs.airway.any()


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0002-slab", "LIDC-IDRI-0003-slab"])
def test_slabs_have_both_lungs(shared_data: Path, patient: str):
    lungs = lungs_of(shared_data, patient)
    assert min(lungs.left_ml, lungs.right_ml) > 100
    assert 0.6 < lungs.left_ml / lungs.right_ml < 1.4


def test_a_sheet_shows_mask_and_nodules(shared_data: Path, tmp_path: Path):
    patient = WHOLE[1]
    lungs = lungs_of(shared_data, patient)
    coarse = block_means(read(shared_data, patient), 3.0)
    first = np.rint(coarse.geometry.to_voxel([lungs.geometry.origin_xyz_mm])[0]).astype(int)
    box = tuple(slice(start, start + size) for start, size in zip(first, lungs.mask.shape, strict=True))
    centre = lungs.geometry.to_voxel([(-45.8, 59.9, -201.0)])[0]
    masks = {"mask": lungs.mask, "right": lungs.closed == 1, "left": lungs.closed == 2, "airway": lungs.airway}
    marks = [Mark(tuple(centre.tolist()), 8.8)]
    figure = lung_sheet(coarse.array[box], masks, lungs.geometry.spacing_zyx_mm, marks, patient)
    assert len([axes for axes in figure.axes if axes.images]) == 3 * 7
    assert sum(len(axes.patches) for axes in figure.axes) >= 3
    figure.savefig(tmp_path / "sheet.png", dpi=50)
