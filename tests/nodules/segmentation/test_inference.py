"""Masks at places and of whole scans, by a network whose answer is known: it outlines what is bright."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.nodules.segmentation.inference import component_at, segment_at, segment_scans
from medpipe.nodules.segmentation.params import SegmentParams
from tests.nodules.conftest import SPACING_MM
from tests.nodules.segmentation.conftest import BRIGHT, SHAPE, Balls, bright_checkpoint

PARAMS = SegmentParams(roi_edge=24, batch_size=2, mirror_average=False, accelerator="cpu")


def whole_mask(masks, uid: str, number: int) -> np.ndarray:
    """A mask of the store on the whole grid."""
    read = masks.read(uid)
    found = np.zeros(SHAPE, dtype=bool)
    if read is not None and number in read[1]:
        mask = read[1][number]
        box = tuple(slice(a, a + n) for a, n in zip(mask.start_zyx, mask.voxels.shape, strict=True))
        found[box] = mask.voxels
    return found


def test_each_place_has_the_mask_of_its_own_ball(balls: Balls, tmp_path: Path):
    places = balls.nodules.iloc[::-1]
    table, masks = segment_at(balls.store, places, bright_checkpoint(), PARAMS, tmp_path)
    assert table.index.equals(places.index)
    assert table.groupby("series_uid")["mask_number"].apply(list).tolist() == [[1, 2, 3]] * 4
    for row in table.itertuples():
        scan = balls.store.open(row.series_uid)
        assert masks.read(row.series_uid)[0] == scan.geometry
        mask = whole_mask(masks, row.series_uid, row.mask_number)
        truth = scan.labels[:] == int(row.finding_id[-3:])
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.85
        assert row.volume_mm3 == pytest.approx(mask.sum() * SPACING_MM**3)
        assert row.mask_diameter_mm == pytest.approx(row.diameter_mm, abs=1.0)


def test_a_place_beside_a_ball_takes_it_and_a_place_far_from_all_takes_none(balls: Balls, tmp_path: Path):
    ball = balls.of(0).iloc[[0]]
    beside = ball.assign(x_mm=ball["x_mm"] + ball["diameter_mm"] / 2 + 3.0)
    far = ball.assign(x_mm=ball["x_mm"] + ball["diameter_mm"] / 2 + PARAMS.search_mm + 3.0)
    table, masks = segment_at(balls.store, pd.concat([ball, beside, far]), bright_checkpoint(), PARAMS, tmp_path)
    uid = balls.scan(0)
    assert np.array_equal(whole_mask(masks, uid, 1), whole_mask(masks, uid, 2))
    assert list(masks.read(uid)[1]) == [1, 2]
    assert table["mask_number"].tolist() == [1, 2, 3]
    assert table[["volume_mm3", "mask_diameter_mm", "long_axis_mm"]].iloc[2].tolist() == [0.0, 0.0, 0.0]


def test_a_place_at_the_edge_of_the_scan_has_a_mask_inside_it(balls: Balls, tmp_path: Path):
    uid = balls.scan(4)  # noise alone
    geometry = balls.store.open(uid).geometry
    x, y, z = geometry.to_world([(0, 0, 0)])[0]
    places = pd.DataFrame({"series_uid": [uid], "x_mm": [x], "y_mm": [y], "z_mm": [z]})
    everything = bright_checkpoint()
    everything.weights["unet.output_block.conv.conv.bias"].fill_(1e4)
    _, masks = segment_at(balls.store, places, everything, PARAMS, tmp_path)
    mask = masks.read(uid)[1][1]
    assert mask.start_zyx == (0, 0, 0)
    assert mask.voxels.shape == (12, 12, 12)  # the half of a cube of 24 that lies in the scan


def test_masks_of_an_earlier_call_are_gone(balls: Balls, tmp_path: Path):
    for number in (0, 1):
        _, masks = segment_at(balls.store, balls.of(number), bright_checkpoint(), PARAMS, tmp_path)
    assert masks.read(balls.scan(0)) is None
    assert masks.read(balls.scan(1)) is not None


def test_no_place_is_no_mask(balls: Balls, tmp_path: Path):
    table, masks = segment_at(balls.store, balls.nodules.iloc[:0], bright_checkpoint(), PARAMS, tmp_path)
    assert table.empty
    assert "volume_mm3" in table
    assert not list(masks.folder.iterdir())


@pytest.mark.parametrize("tile_edge", [16, 200])
def test_a_whole_scan_is_outlined_the_same_in_any_tiles(balls: Balls, tmp_path: Path, tile_edge: int):
    params = PARAMS.model_copy(update={"tile_edge": tile_edge, "halo": 4})
    uids = [balls.scan(0), balls.scan(4)]
    table, masks = segment_scans(balls.store, uids, bright_checkpoint(), params, tmp_path)
    bright = balls.store.open(uids[0]).image[:] >= BRIGHT
    assert np.array_equal(whole_mask(masks, uids[0], 1), bright)
    assert table["volume_mm3"].tolist() == pytest.approx([bright.sum() * SPACING_MM**3, 0.0])
    assert masks.read(uids[1]) is None


def test_only_the_largest_components_are_kept_if_so_wished(balls: Balls, tmp_path: Path):
    params = PARAMS.model_copy(update={"largest_components": 1})
    uid = balls.scan(0)
    _, masks = segment_scans(balls.store, [uid], bright_checkpoint(), params, tmp_path)
    mask, labels = whole_mask(masks, uid, 1), balls.store.open(uid).labels[:]
    assert (mask & (labels == 1)).sum() > 0.9 * (labels == 1).sum()
    assert not (mask & (labels > 1)).any()


def test_the_nearest_component_is_measured_in_millimetres():
    foreground = np.zeros((9, 9, 9), dtype=bool)
    foreground[4, 4, 1], foreground[1, 4, 4] = True, True  # three voxels along x, three along z
    flat = Geometry((9, 9, 9), (1.0, 2.0, 2.0))
    found = component_at(foreground, np.array([4.0, 4.0, 4.0]), 10.0, flat)
    assert np.argwhere(found).tolist() == [[1, 4, 4]]
    assert not component_at(foreground, np.array([4.0, 4.0, 4.0]), 2.0, flat).any()


def test_errors_say_what_to_do(balls: Balls, tmp_path: Path):
    odd = PARAMS.model_copy(update={"roi_edge": 23})
    with pytest.raises(InputError, match=r"segment\.roi_edge is 23, expected a multiple of 4"):
        segment_at(balls.store, balls.nodules, bright_checkpoint(), odd, tmp_path)
    with pytest.raises(InputError, match=r"sampling\.kind 'cubes'"):
        segment_scans(balls.store, [balls.scan(0)], bright_checkpoint(at_place=True), PARAMS, tmp_path)
    other = bright_checkpoint()
    other.params["spacing_mm"] = 1.0
    with pytest.raises(InputError, match=r"the segmenter was trained at 1\.0"):
        segment_scans(balls.store, [balls.scan(0)], other, PARAMS, tmp_path)
