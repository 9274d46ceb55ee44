from pathlib import Path

import numpy as np
import pytest

from medpipe.ct.body import NoBodyError, find_body
from medpipe.ct.geometry import Geometry
from medpipe.ct.lungs import NoLungsError
from medpipe.ct.params import PreprocessParams
from medpipe.ct.preprocess import prepare, preprocess
from medpipe.ct.volume import Volume
from tests.ct.scans import write_mhd
from tests.ct.test_preprocess import tables

SHAPE = (30, 60, 70)
SPACING_MM = (3.0, 3.0, 3.0)
TABLE_ROWS = slice(54, 56)
PARAMS = PreprocessParams(spacing_mm=3.0, region="body", crop_margin_mm=0.0, n_jobs=1)


@pytest.fixture
def abdomen() -> Volume:
    """An elliptic body without lungs, a pocket of gas inside, over a thin table, 90 x 180 x 210 mm, LPS axes."""
    _, y, x = np.indices(SHAPE).astype(float)
    array = np.full(SHAPE, -1000, dtype=np.int16)
    array[body_truth()] = 40
    array[((y - 25) / 4) ** 2 + ((x - 35) / 4) ** 2 <= 1] = -1000
    array[:, TABLE_ROWS, 5:65] = 100
    return Volume(array, Geometry(SHAPE, SPACING_MM, (10.0, -20.0, 30.0)))


def body_truth() -> np.ndarray:
    _, y, x = np.indices(SHAPE).astype(float)
    return ((y - 28) / 20) ** 2 + ((x - 35) / 28) ** 2 <= 1


def test_the_body_is_found_with_its_gas_and_without_the_table(abdomen: Volume):
    coarse, body = find_body(abdomen)
    z, y, x = np.rint(abdomen.geometry.to_voxel(coarse.geometry.to_world(np.argwhere(body)))).astype(int).T
    found = np.zeros(SHAPE, dtype=bool)
    found[z, y, x] = True
    truth = body_truth()
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97
    assert not found[:, TABLE_ROWS].any()
    assert found[:, 25, 35].all()  # the middle of the gas


def test_a_scan_without_lungs_is_prepared_around_the_body(abdomen: Volume):
    with pytest.raises(NoLungsError):
        prepare(abdomen, PARAMS.model_copy(update={"region": "lungs"}))
    scan = prepare(abdomen, PARAMS)
    assert scan.lung_ml is None
    inside = scan.image[scan.lung > 0]
    assert (inside > 0).mean() > 0.9  # tissue: the room and the gas are stored as 0
    # The box of the ellipse, 41 x 57 voxels of 3 mm, to a voxel on each side.
    assert np.abs(np.subtract(scan.lung.shape, (30, 41, 57))).max() <= 2


def test_the_region_of_a_chest_holds_its_lungs(chest: Volume):
    lungs = prepare(chest, PARAMS.model_copy(update={"region": "lungs"}))
    body = prepare(chest, PARAMS)
    assert body.lung.sum() > 1.5 * lungs.lung.sum()
    places = lungs.geometry.to_world(np.argwhere(lungs.lung)[::50])
    z, y, x = np.rint(body.geometry.to_voxel(places)).astype(int).T
    assert body.lung[z, y, x].mean() > 0.99


def test_nobody_is_a_rejection_with_its_code(tmp_path: Path, chest: Volume):
    empty = Volume(np.full_like(chest.array, -1000), chest.geometry)
    with pytest.raises(NoBodyError, match="Nobody"):
        prepare(empty, PARAMS)
    write_mhd(tmp_path / "raw" / "subset0" / "1.1.mhd", empty)
    store = preprocess(tmp_path / "raw", *tables("1.1"), None, PARAMS, tmp_path / "store")
    assert store.rejections["code"].tolist() == ["no_body"]
