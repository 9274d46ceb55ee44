import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, StoredScan, write_index, write_rejection, write_scan

SHAPE = (40, 50, 60)


def image_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, SHAPE, dtype=np.uint8)


def labels_of(seed: int) -> np.ndarray:
    labels = np.zeros(SHAPE, dtype=np.uint16)
    labels[10:20, 10:20, 10:20] = 300 + seed
    return labels


def write(folder: Path, uid: str, seed: int = 0, key: str = "k", labelled: bool = False) -> StoredScan:
    image = image_of(seed)
    geometry = Geometry(SHAPE, (1.5, 1.5, 1.5), (1.0, 2.0, 3.0))
    labels = labels_of(seed) if labelled else None
    return write_scan(folder, uid, image, image > 100, geometry, (-1000.0, 400.0), key=key, labels=labels)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredScan:
    return write(tmp_path_factory.mktemp("store"), "1.2.3", labelled=True)


def patch_mean(scan: StoredScan) -> float:
    return float(scan.patch((0, 0, 0), SHAPE).mean())


def test_a_scan_comes_back_as_it_was_written(tmp_path: Path):
    write(tmp_path, "1.2.3", seed=7)
    scan = ScanStore(tmp_path).open("1.2.3")
    np.testing.assert_array_equal(scan.image[:], image_of(7))
    np.testing.assert_array_equal(scan.lung[:], image_of(7) > 100)
    assert scan.geometry == Geometry(SHAPE, (1.5, 1.5, 1.5), (1.0, 2.0, 3.0))
    assert scan.hu_window == (-1000.0, 400.0)
    assert scan.shape == SHAPE


@settings(max_examples=60, deadline=None)
@given(start=st.tuples(*[st.integers(-70, 70)] * 3), shape=st.tuples(*[st.integers(1, 70)] * 3))
def test_a_patch_is_the_padded_image(stored: StoredScan, start, shape):
    padded = np.pad(image_of(0), 150)
    expected = padded[tuple(slice(150 + s, 150 + s + n) for s, n in zip(start, shape, strict=True))]
    np.testing.assert_array_equal(stored.patch(start, shape), expected)
    np.testing.assert_array_equal(stored.lung_patch(start, shape), expected > 100)
    numbers = np.pad(labels_of(0), 150)[tuple(slice(150 + s, 150 + s + n) for s, n in zip(start, shape, strict=True))]
    np.testing.assert_array_equal(stored.label_patch(start, shape), numbers)


def test_findings_come_back_as_they_were_written(tmp_path: Path):
    write(tmp_path, "a", labelled=True)
    scan = ScanStore(tmp_path).open("a")
    assert scan.labels.dtype == np.uint16
    np.testing.assert_array_equal(scan.labels[:], labels_of(0))


def test_a_scan_without_findings_has_none(tmp_path: Path):
    write(tmp_path, "a", labelled=True)
    write(tmp_path, "a")
    scan = ScanStore(tmp_path).open("a")
    assert scan.labels is None
    assert not scan.label_patch((-5, 0, 0), (10, 10, 10)).any()
    assert not list(tmp_path.glob("*.labels.*"))


def test_a_worker_process_opens_its_own_handles(stored: StoredScan):
    here = patch_mean(stored)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(patch_mean, stored).result() == here


def test_pickling_leaves_the_handles_behind(stored: StoredScan):
    patch_mean(stored)
    copy = pickle.loads(pickle.dumps(stored))
    assert copy == stored
    assert patch_mean(copy) == patch_mean(stored)


def test_the_fingerprint_follows_the_content(tmp_path: Path):
    write(tmp_path, "a", key="1")
    write(tmp_path, "b", key="1")
    first = ScanStore(tmp_path).fingerprint()
    write(tmp_path, "b", key="another way to the same arrays")
    assert ScanStore(tmp_path).fingerprint() == first
    write(tmp_path, "b", seed=1, key="1")
    second = ScanStore(tmp_path).fingerprint()
    write(tmp_path, "b", seed=1, key="1", labelled=True)
    assert len({first, second, ScanStore(tmp_path).fingerprint()}) == 3


def test_a_scan_without_its_record_does_not_exist(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b")
    (tmp_path / "a.json").unlink()
    assert ScanStore(tmp_path).series_uids == ["b"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0, "status": "stored"}'])
def test_a_damaged_or_older_record_counts_as_none(tmp_path: Path, text: str):
    write(tmp_path, "a")
    (tmp_path / "a.json").write_text(text)
    assert len(ScanStore(tmp_path)) == 0


def test_a_failed_write_takes_the_old_scan_away_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a")
    monkeypatch.setattr("medpipe.ct.store.blosc2.asarray", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(tmp_path, "a")
    assert ScanStore(tmp_path).series_uids == []
    assert not list(tmp_path.iterdir())


def test_rejections_are_kept_beside_the_scans(tmp_path: Path):
    write(tmp_path, "a")
    write_rejection(tmp_path, "b", "no_lungs", "No lung was found.", key="1")
    store = ScanStore(tmp_path)
    assert store.series_uids == ["a"]
    assert "b" not in store
    assert store.rejections.to_dict("records") == [
        {"series_uid": "b", "code": "no_lungs", "reason": "No lung was found."}
    ]


def test_the_index_says_which_scans_belong(tmp_path: Path):
    for uid in ("a", "b", "c"):
        write(tmp_path, uid)
    write_index(tmp_path, ["c", "a"])
    assert ScanStore(tmp_path).series_uids == ["a", "c"]


def test_a_scan_is_opened_once(tmp_path: Path):
    write(tmp_path, "a")
    store = ScanStore(tmp_path)
    assert store.open("a") is store.open("a")


def test_an_unknown_scan_is_named(tmp_path: Path):
    write(tmp_path, "a")
    with pytest.raises(InputError, match="'nobody' is not in the store"):
        ScanStore(tmp_path).open("nobody")


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="absent"):
        ScanStore(tmp_path / "absent")


@pytest.mark.parametrize("uid", ["", "../a", "a/b", ".hidden", "a" * 129, "index", "ä"])
def test_a_uid_that_cannot_name_a_file_is_refused(tmp_path: Path, uid: str):
    with pytest.raises(InputError, match="cannot name a file"):
        write(tmp_path / "store", uid)


def test_shapes_must_agree(tmp_path: Path):
    with pytest.raises(InputError, match="one shape"):
        write_scan(tmp_path, "a", image_of(0), image_of(0)[1:], Geometry(SHAPE, (1, 1, 1)), (-1000.0, 400.0), key="k")


def test_a_record_can_be_read_by_a_person(tmp_path: Path):
    write(tmp_path, "a", key="the key")
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["geometry"]["spacing_zyx_mm"] == [1.5, 1.5, 1.5]
    assert record["key"] == "the key"


def test_the_record_tells_how_often_each_value_occurs(tmp_path: Path):
    write(tmp_path, "a", seed=3)
    record = ScanStore(tmp_path).record("a")
    image = image_of(3)
    assert record["histogram"] == np.bincount(image.ravel(), minlength=256).tolist()
    assert record["lung_histogram"] == np.bincount(image[image > 100], minlength=256).tolist()


def test_there_is_no_record_of_an_unknown_scan(tmp_path: Path):
    write_rejection(tmp_path, "b", "no_lungs", "No lung was found.", key="1")
    with pytest.raises(InputError, match="'b' is not in the store"):
        ScanStore(tmp_path).record("b")
