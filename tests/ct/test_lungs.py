from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.lung_sides import LEFT, RIGHT, split
from medpipe.ct.lungs import Lungs, NoLungsError, find_lungs
from medpipe.ct.params import LungParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import plan_cohort
from medpipe.ct.phantom.scan import make_scan
from medpipe.ct.resample import to_canonical
from medpipe.ct.volume import Volume
from tests.ct.conftest import NODULE_ZYX

PARAMS = LungParams()


def at(lungs: Lungs, array: np.ndarray, points_xyz: np.ndarray) -> np.ndarray:
    """The values of an array of the lungs' grid at world points; 0 outside the grid."""
    index = np.rint(lungs.geometry.to_voxel(points_xyz)).astype(int)
    inside = ((index >= 0) & (index < array.shape)).all(axis=1)
    values = np.zeros(len(index), dtype=array.dtype)
    values[inside] = array[tuple(index[inside].T)]
    return values


def mask_at(lungs: Lungs, points_xyz: np.ndarray) -> np.ndarray:
    """Whether each world point is in the mask."""
    return at(lungs, lungs.mask, points_xyz)


def with_values(chest: Volume, *changes: tuple[Any, int]) -> Volume:
    array = chest.array.copy()
    for box, value in changes:
        array[box] = value
    return Volume(array, chest.geometry)


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
    volumes = [int(find_lungs(chest, LungParams(margin_mm=margin)).mask.sum()) for margin in (0, 4, 8)]
    assert volumes[0] < volumes[1] < volumes[2]


def test_closing_without_a_margin_keeps_the_lungs_volume(chest: Volume):
    lungs = find_lungs(chest, LungParams(closing_mm=0, margin_mm=0))
    expected_ml = 4 / 3 * np.pi * (19 * 3) * (18 * 4) * (12 * 4) / 1000
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((expected_ml, expected_ml), rel=0.05)
    assert lungs.mask.sum() * lungs.geometry.voxel_mm3 / 1000 == pytest.approx(2 * expected_ml, rel=0.05)


def test_left_is_the_patients_left(chest: Volume):
    lungs = find_lungs(chest, PARAMS)
    points = chest.geometry.to_world([(22, 32, 24), (22, 32, 56)])
    assert at(lungs, lungs.closed, points).tolist() == [RIGHT, LEFT]


def test_lungs_that_touch_are_told_apart(chest: Volume):
    joined = with_values(chest, (np.s_[18:26, 24:27, 34:46], -850))
    lungs = find_lungs(joined, PARAMS)
    points = chest.geometry.to_world([(22, 32, 24), (22, 32, 56)])
    assert at(lungs, lungs.closed, points).tolist() == [RIGHT, LEFT]
    assert lungs.right_ml == pytest.approx(lungs.left_ml, rel=0.1)


@pytest.mark.parametrize(("columns", "side"), [(np.s_[40:], RIGHT), (np.s_[:40], LEFT)], ids=["right", "left"])
def test_a_single_lung_has_the_side_it_lies_on(chest: Volume, columns: slice, side: int):
    array = chest.array.copy()
    other = array[:, :, columns]
    other[(other < -500) & (other > -950)] = 40
    lungs = find_lungs(Volume(array, chest.geometry), PARAMS)
    assert np.unique(lungs.closed).tolist() == [0, side]
    assert {RIGHT: lungs.left_ml, LEFT: lungs.right_ml}[side] == 0


def test_the_mediastinum_between_the_lungs_stays_out(chest: Volume):
    near = with_values(chest, (np.s_[10:34, 24:40, 30:38], -850), (np.s_[10:34, 24:40, 42:50], -850))
    lungs = find_lungs(near, LungParams(margin_mm=0))
    assert not mask_at(lungs, chest.geometry.to_world([(22, 32, 39.5)])).any()


def test_gas_in_the_stomach_is_no_lung(chest: Volume):
    lungs = find_lungs(with_values(chest, (np.s_[2:12, 40:52, 34:46], -1000)), PARAMS)
    assert not mask_at(lungs, chest.geometry.to_world([(7, 49, 40)])).any()


def test_gas_that_hangs_on_a_lung_is_no_lung(chest: Volume):
    # The wall between stomach and lung is thinner than a coarse voxel: the gap has the values of lung.
    array = chest.array.copy()
    array[0:8, 26:40, 46:62] = -1000
    array[8, 30:34, 52:58] = -700
    lungs = find_lungs(Volume(array, chest.geometry), LungParams(margin_mm=0))
    assert not mask_at(lungs, chest.geometry.to_world([(2, 32, 54)])).any()
    assert mask_at(lungs, chest.geometry.to_world([(22, 32, 56)])).all()


def test_the_foam_of_a_table_is_no_lung(chest: Volume):
    table = ((np.s_[:, 59:64, 4:76], 100), (np.s_[:, 60:63, 5:75], -900))
    lungs = find_lungs(with_values(chest, *table), PARAMS)
    assert not mask_at(lungs, chest.geometry.to_world([(22, 61, 40)])).any()


@pytest.mark.parametrize("thickness", [1, 2], ids=["thin wall", "thick wall"])
def test_the_trachea_is_no_lung(chest: Volume, thickness: int):
    wide = np.s_[30:, 28 - thickness : 32 + thickness, 38 - thickness : 42 + thickness]
    lungs = find_lungs(with_values(chest, (wide, 40), (np.s_[30:, 28:32, 38:42], -990)), LungParams(margin_mm=0))
    trachea = chest.geometry.to_world([(40, 30, 40), (33, 29, 39)])
    assert at(lungs, lungs.airway, trachea).all()
    assert not mask_at(lungs, trachea).any()
    assert mask_at(lungs, chest.geometry.to_world([(22, 32, 24)])).all()


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


def test_nothing_but_lungs_gives_no_sides():
    empty = np.zeros((3, 4, 5), dtype=bool)
    assert not split(empty, empty, (3.0, 3.0, 3.0)).any()


SMALL_CHESTS = PhantomParams(
    seed=3, n_patients=4, chest_scale=(0.45, 0.5), matrix=(96, 112), pixel_spacing_mm=(1.2, 1.7), mean_nodules=4.0
)


def test_findings_of_small_chests_are_inside():
    for plan in plan_cohort(SMALL_CHESTS)[:4]:
        scan = make_scan(SMALL_CHESTS, plan)
        lungs = find_lungs(to_canonical(scan.volume), PARAMS)
        assert 0.7 < lungs.left_ml / lungs.right_ml < 1.1
        assert mask_at(lungs, np.array([label.xyz_mm for label in scan.labels])).all()
