from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.lungs import NoLungsError, find_lungs
from medpipe.ct.params import LungParams
from medpipe.ct.readers import dicom
from medpipe.ct.volume import Volume
from tests.ct.conftest import NODULE_ZYX

PARAMS = LungParams()


def mask_at(mask: Volume, points_xyz: np.ndarray) -> np.ndarray:
    """Whether each world point is in the mask."""
    index = np.rint(mask.geometry.to_voxel(points_xyz)).astype(int)
    return mask.array[tuple(index.T)] > 0


def test_both_lungs_are_found_and_the_room_is_not(chest: Volume):
    mask = find_lungs(chest, PARAMS)
    lungs = chest.geometry.to_world([(22, 32, 24), (22, 32, 56)])
    elsewhere = chest.geometry.to_world([(22, 2, 2), (22, 7, 40), (22, 62, 78)])
    assert mask_at(mask, lungs).all()
    assert not mask_at(mask, elsewhere).any()


def test_a_nodule_on_the_pleura_is_inside(chest: Volume):
    mask = find_lungs(chest, PARAMS)
    ball = np.argwhere(np.ones((5, 5, 5), dtype=bool)) - 2
    around = np.asarray(NODULE_ZYX) + ball[np.linalg.norm(ball * [3, 4, 4], axis=1) <= 7]
    assert mask_at(mask, chest.geometry.to_world(around)).all()


def test_the_margin_widens_the_mask(chest: Volume):
    volumes = [int(find_lungs(chest, LungParams(margin_mm=margin)).array.sum()) for margin in (0, 4, 8)]
    assert volumes[0] < volumes[1] < volumes[2]


def test_closing_without_a_margin_keeps_the_lungs_volume(chest: Volume):
    mask = find_lungs(chest, LungParams(closing_mm=0, margin_mm=0))
    expected_ml = 2 * 4 / 3 * np.pi * (19 * 3) * (18 * 4) * (12 * 4) / 1000
    assert mask.array.sum() * np.prod(mask.geometry.spacing_zyx_mm) / 1000 == pytest.approx(expected_ml, rel=0.05)


def test_gas_in_the_stomach_is_no_lung(chest: Volume):
    array = chest.array.copy()
    array[2:12, 40:52, 34:46] = -1000
    mask = find_lungs(Volume(array, chest.geometry), PARAMS)
    assert not mask_at(mask, chest.geometry.to_world([(7, 49, 40)])).any()


def test_the_trachea_is_no_lung(chest: Volume):
    array = chest.array.copy()
    array[30:, 28:32, 38:42] = -900
    mask = find_lungs(Volume(array, chest.geometry), LungParams(closing_mm=0, margin_mm=0))
    assert not mask_at(mask, chest.geometry.to_world([(40, 30, 40)])).any()
    assert mask_at(mask, chest.geometry.to_world([(22, 32, 24)])).all()


@pytest.mark.parametrize("value", [-1000, 40], ids=["only air", "only water"])
def test_no_lungs_are_an_error_with_a_reason(chest: Volume, value: int):
    empty = Volume(np.full_like(chest.array, value), chest.geometry)
    with pytest.raises(NoLungsError, match="0 ml of air-filled tissue inside the body, at least 250 ml"):
        find_lungs(empty, PARAMS)


def test_a_mouse_is_too_small(chest: Volume):
    spacing = tuple(value / 8 for value in chest.geometry.spacing_zyx_mm)
    geometry: Geometry = replace(chest.geometry, spacing_zyx_mm=spacing)
    with pytest.raises(NoLungsError):
        find_lungs(Volume(chest.array, geometry), PARAMS)


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_real_nodules_lie_inside_real_lungs(shared_data: Path, patient: str):
    folder = shared_data / "lidc" / patient / "dicom"
    table = pd.read_csv(shared_data / "luna16_csv" / "annotations.csv")
    uid = {
        "LIDC-IDRI-0001": "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192",
        "LIDC-IDRI-0063": "1.3.6.1.4.1.14519.5.2.1.6279.6001.272190966764020277652079081128",
    }[patient]
    mask = find_lungs(dicom.read_volume(folder, uid), PARAMS)
    nodules = table[table["seriesuid"] == uid]
    ball = np.argwhere(np.ones((9, 9, 9), dtype=bool)) - 4
    sphere = ball[np.linalg.norm(ball, axis=1) <= 4] / 4
    for x, y, z, diameter_mm in nodules[["coordX", "coordY", "coordZ", "diameter_mm"]].to_numpy():
        assert mask_at(mask, np.array([x, y, z]) + sphere * diameter_mm / 2).all()
    litres = mask.array.sum() * np.prod(mask.geometry.spacing_zyx_mm) / 1e6
    assert 2.5 < litres < 7.5
