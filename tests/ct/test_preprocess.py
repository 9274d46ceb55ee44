from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.ct import preprocess as module
from medpipe.ct.ingest import ingest
from medpipe.ct.params import GateParams, IngestCTParams, LungParams, PreprocessParams
from medpipe.ct.preprocess import prepare, preprocess, quantise
from medpipe.ct.volume import Volume
from tests.ct.conftest import NODULE_ZYX
from tests.ct.scans import write_dicom, write_mhd

PARAMS = PreprocessParams(spacing_mm=3.0, n_jobs=1)


@pytest.fixture
def raw(tmp_path: Path, chest: Volume) -> Path:
    write_mhd(tmp_path / "raw" / "subset0" / "1.1.mhd", chest)
    write_dicom(tmp_path / "raw" / "s", chest, "1.2")
    return tmp_path / "raw"


def manifest(raw: Path) -> pd.DataFrame:
    return ingest(raw, IngestCTParams(n_jobs=1, gate=GateParams(max_slice_spacing_mm=5))).scans


@pytest.fixture
def prepared_now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one entry a scan that is really prepared."""
    calls: list[int] = []

    def counted(volume: Volume, params: PreprocessParams) -> module.Prepared:
        calls.append(1)
        return prepare(volume, params)

    monkeypatch.setattr(module, "prepare", counted)
    return calls


def test_a_scan_is_cropped_to_its_lungs(chest: Volume):
    scan = prepare(chest, PARAMS)
    assert scan.image.shape == scan.lung.shape == scan.geometry.shape_zyx
    assert np.prod(scan.image.shape) * 27 < chest.array.size * 48
    inside = np.argwhere(scan.lung)
    margin = np.minimum(inside.min(axis=0), np.asarray(scan.lung.shape) - 1 - inside.max(axis=0))
    assert (margin[1:] * 3.0 >= PARAMS.crop_margin_mm - 3).all()


def test_the_image_lies_where_the_scan_lay(chest: Volume):
    scan = prepare(chest, PARAMS)
    (index,) = np.rint(scan.geometry.to_voxel(chest.geometry.to_world([NODULE_ZYX]))).astype(int)
    assert abs(int(scan.image[tuple(index)]) - 255 * 1040 / 1400) < 15
    assert scan.lung[tuple(index)] == 1


def test_padding_is_clamped_before_it_can_bleed(chest: Volume):
    padded = chest.array.copy()
    padded[:, :, :2] = -3000
    clamped = np.maximum(padded, -1024)
    whole = PARAMS.model_copy(update={"crop_margin_mm": 100.0})
    one, other = (prepare(Volume(array, chest.geometry), whole) for array in (padded, clamped))
    np.testing.assert_array_equal(one.image, other.image)


def test_the_window_ends_at_0_and_255():
    values = np.array([-32768, -1000, -999, -300, 400, 401, 32767], dtype=np.int16)
    assert quantise(values, (-1000.0, 400.0)).tolist() == [0, 0, 0, 128, 255, 255, 255]


def test_metaimage_and_dicom_give_the_same_scan(raw: Path, tmp_path: Path):
    store = preprocess(raw, manifest(raw), PARAMS, tmp_path / "store")
    assert store.series_uids == ["1.1", "1.2"]
    np.testing.assert_array_equal(store.open("1.1").image[:], store.open("1.2").image[:])
    np.testing.assert_array_equal(store.open("1.1").lung[:], store.open("1.2").lung[:])


def test_nothing_is_done_twice(raw: Path, tmp_path: Path, prepared_now: list[int]):
    first = preprocess(raw, manifest(raw), PARAMS, tmp_path / "store").fingerprint()
    second = preprocess(raw, manifest(raw), PARAMS, tmp_path / "store").fingerprint()
    assert len(prepared_now) == 2
    assert first == second


def test_workers_change_nothing(raw: Path, tmp_path: Path):
    one = preprocess(raw, manifest(raw), PARAMS, tmp_path / "one").fingerprint()
    two = preprocess(raw, manifest(raw), PARAMS.model_copy(update={"n_jobs": 2}), tmp_path / "two").fingerprint()
    assert one == two


@pytest.mark.parametrize(
    "change", [{"spacing_mm": 4.0}, {"hu_window": (-900.0, 300.0)}, {"lungs": LungParams(margin_mm=8)}]
)
def test_a_changed_parameter_prepares_again(raw: Path, tmp_path: Path, prepared_now: list[int], change):
    preprocess(raw, manifest(raw), PARAMS, tmp_path / "store")
    preprocess(raw, manifest(raw), PARAMS.model_copy(update=change), tmp_path / "store")
    assert len(prepared_now) == 4


def test_a_changed_file_prepares_that_scan_again(raw: Path, tmp_path: Path, chest: Volume, prepared_now: list[int]):
    scans = manifest(raw)
    preprocess(raw, scans, PARAMS, tmp_path / "store")
    write_mhd(raw / "subset0" / "1.1.mhd", Volume(chest.array + np.int16(1), chest.geometry))
    preprocess(raw, scans, PARAMS, tmp_path / "store")
    assert len(prepared_now) == 3


def test_a_killed_run_goes_on(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_now: list[int]):
    write_scan = module.write_scan

    def killed(folder: Path, series_uid: str, *args: object, **kwargs: object) -> object:
        if series_uid == "1.2":
            raise KeyboardInterrupt
        return write_scan(folder, series_uid, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_scan", killed)
    with pytest.raises(KeyboardInterrupt):
        preprocess(raw, manifest(raw), PARAMS, tmp_path / "store")
    monkeypatch.setattr(module, "write_scan", write_scan)
    assert len(preprocess(raw, manifest(raw), PARAMS, tmp_path / "store")) == 2
    assert len(prepared_now) == 3


def test_a_scan_that_fails_stops_no_other(raw: Path, tmp_path: Path, chest: Volume):
    no_lungs = np.where(chest.array < -900, -1000, np.where(chest.array < -500, 0, chest.array)).astype(np.int16)
    write_mhd(raw / "subset0" / "1.3.mhd", Volume(no_lungs, chest.geometry))
    scans = manifest(raw)
    next((raw / "s").iterdir()).write_bytes(b"\0" * 300)
    store = preprocess(raw, scans, PARAMS, tmp_path / "store")
    assert store.series_uids == ["1.1"]
    assert store.rejections["code"].tolist() == ["unreadable", "no_lungs"]
    assert "(43, 64, 80) voxels (z, y, x), but had (44, 64, 80) at intake" in store.rejections["reason"].iloc[0]


def test_the_store_holds_the_scans_of_the_manifest_only(raw: Path, tmp_path: Path):
    scans = manifest(raw)
    preprocess(raw, scans, PARAMS, tmp_path / "store")
    assert preprocess(raw, scans[scans["series_uid"] == "1.2"], PARAMS, tmp_path / "store").series_uids == ["1.2"]
