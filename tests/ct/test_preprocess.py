from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from medpipe.ct import preprocess as module
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.memory import needed_gb, workers_within
from medpipe.ct.params import LungParams, PreprocessParams
from medpipe.ct.preprocess import prepare, preprocess, quantiser
from medpipe.ct.readers import luna16
from medpipe.ct.store import ScanStore
from medpipe.ct.volume import Volume
from tests.ct.conftest import CHEST_SHAPE, CHEST_SPACING, NODULE_ZYX
from tests.ct.scans import write_dicom, write_mhd

PARAMS = PreprocessParams(spacing_mm=3.0, n_jobs=1)
PATHS = {"1.1": ("luna16", "subset0/1.1.mhd"), "1.2": ("dicom", "s"), "1.3": ("luna16", "subset0/1.3.mhd")}


@pytest.fixture
def raw(tmp_path: Path, chest: Volume) -> Path:
    write_mhd(tmp_path / "raw" / "subset0" / "1.1.mhd", chest)
    write_dicom(tmp_path / "raw" / "s", chest, "1.2")
    return tmp_path / "raw"


def tables(*uids: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What intake says of scans of the chest's size: the manifest and where they lie."""
    names = ("n_slices", "n_rows", "n_columns", "spacing_z_mm", "spacing_y_mm", "spacing_x_mm")
    grid = dict(zip(names, (*CHEST_SHAPE, *CHEST_SPACING), strict=True))
    uids = uids or ("1.1", "1.2")
    scans = pd.DataFrame([{"series_uid": uid, "accepted": True, **grid} for uid in uids])
    places = [(uid, uid, *PATHS[uid]) for uid in uids]
    return scans, pd.DataFrame(places, columns=["series_uid", "source_series_uid", "reader", "path"])


def run(
    raw: Path,
    folder: Path,
    uids: tuple[str, ...] = (),
    masks: MaskStore | None = None,
    params: PreprocessParams = PARAMS,
    **changes: object,
) -> ScanStore:
    return preprocess(raw, *tables(*uids), masks, params.model_copy(update=changes), folder)


@pytest.fixture
def prepared_now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one entry a scan that is really prepared."""
    calls: list[int] = []

    def counted(volume: Volume, params: PreprocessParams, masks: object) -> module.Prepared:
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
    stored = quantiser((-1000.0, 400.0))[values.astype(int) + 32768]
    assert stored.tolist() == [0, 0, 0, 128, 255, 255, 255]


def test_metaimage_and_dicom_give_the_same_scan(raw: Path, tmp_path: Path):
    store = run(raw, tmp_path / "store")
    assert store.series_uids == ["1.1", "1.2"]
    np.testing.assert_array_equal(store.open("1.1").image[:], store.open("1.2").image[:])
    np.testing.assert_array_equal(store.open("1.1").lung[:], store.open("1.2").lung[:])


def test_nothing_is_done_twice(raw: Path, tmp_path: Path, prepared_now: list[int]):
    first = run(raw, tmp_path / "store").fingerprint()
    second = run(raw, tmp_path / "store").fingerprint()
    assert len(prepared_now) == 2
    assert first == second


def test_workers_change_nothing(raw: Path, tmp_path: Path):
    one = run(raw, tmp_path / "one").fingerprint()
    two = run(raw, tmp_path / "two", n_jobs=2).fingerprint()
    assert one == two


@pytest.mark.parametrize(
    "change", [{"spacing_mm": 4.0}, {"hu_window": (-900.0, 300.0)}, {"lungs": LungParams(margin_mm=8)}]
)
def test_a_changed_parameter_prepares_again(raw: Path, tmp_path: Path, prepared_now: list[int], change):
    run(raw, tmp_path / "store")
    run(raw, tmp_path / "store", **change)
    assert len(prepared_now) == 4


def test_a_changed_file_prepares_that_scan_again(raw: Path, tmp_path: Path, chest: Volume, prepared_now: list[int]):
    run(raw, tmp_path / "store")
    write_mhd(raw / "subset0" / "1.1.mhd", Volume(chest.array + np.int16(1), chest.geometry))
    run(raw, tmp_path / "store")
    assert len(prepared_now) == 3


def test_a_killed_run_goes_on(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_now: list[int]):
    write_scan = module.write_scan

    def killed(folder: Path, series_uid: str, *args: object, **kwargs: object) -> object:
        if series_uid == "1.2":
            raise KeyboardInterrupt
        return write_scan(folder, series_uid, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_scan", killed)
    with pytest.raises(KeyboardInterrupt):
        run(raw, tmp_path / "store")
    monkeypatch.setattr(module, "write_scan", write_scan)
    assert len(run(raw, tmp_path / "store")) == 2
    assert len(prepared_now) == 3


def test_a_scan_that_fails_stops_no_other(raw: Path, tmp_path: Path, chest: Volume):
    no_lungs = np.where(chest.array < -900, -1000, np.where(chest.array < -500, 0, chest.array)).astype(np.int16)
    write_mhd(raw / "subset0" / "1.3.mhd", Volume(no_lungs, chest.geometry))
    next((raw / "s").iterdir()).write_bytes(b"\0" * 300)
    store = run(raw, tmp_path / "store", ("1.1", "1.2", "1.3"))
    assert store.series_uids == ["1.1"]
    assert store.rejections["code"].tolist() == ["unreadable", "no_lungs"]
    assert "(43, 64, 80) voxels (z, y, x), but had (44, 64, 80) at intake" in store.rejections["reason"].iloc[0]


@pytest.mark.parametrize(
    ("error", "code", "told"), [(OSError("secret"), "unreadable", "OSError"), (MemoryError(), "too_large", "memory")]
)
def test_whatever_goes_wrong_with_a_scan_stops_no_other(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, told: str
):
    read_volume = luna16.read_volume

    def fail_once(folder: Path, path: str, series_uid: str) -> Volume:
        if series_uid == "1.1":
            raise error
        return read_volume(folder, path, series_uid)

    monkeypatch.setattr(luna16, "read_volume", fail_once)
    store = run(raw, tmp_path / "store")
    assert store.series_uids == ["1.2"]
    assert store.rejections["code"].tolist() == [code]
    assert told in store.rejections["reason"].iloc[0]
    assert "secret" not in store.rejections["reason"].iloc[0]


def test_the_store_holds_the_scans_of_the_manifest_only(raw: Path, tmp_path: Path):
    run(raw, tmp_path / "store")
    assert run(raw, tmp_path / "store", ("1.2",)).series_uids == ["1.2"]


def nodule_mask(chest: Volume) -> LesionMask:
    """The chest's nodule, as a reader would outline it."""
    z, y, x = np.indices(CHEST_SHAPE).astype(float)
    k, j, i = NODULE_ZYX
    return cropped(((z - k) * 3) ** 2 + ((y - j) * 4) ** 2 + ((x - i) * 4) ** 2 <= 8**2)


def test_findings_are_stored_where_they_lie(raw: Path, tmp_path: Path, chest: Volume):
    mask = nodule_mask(chest)
    write_masks(tmp_path / "masks", "1.1", chest.geometry, {3: mask})
    store = run(raw, tmp_path / "store", masks=MaskStore(tmp_path / "masks"))
    scan = store.open("1.1")
    assert store.record("1.1")["has_labels"]
    assert np.unique(scan.labels[:]).tolist() == [0, 3]
    centre = scan.geometry.to_world([np.argwhere(scan.labels[:] == 3).mean(axis=0)])[0]
    np.testing.assert_allclose(centre, chest.geometry.to_world([NODULE_ZYX])[0], atol=0.5)
    assert (scan.labels[:] == 3).sum() * 27 == pytest.approx(mask.voxels.sum() * 48, rel=0.15)
    assert store.open("1.2").labels is None


def test_changed_findings_prepare_that_scan_again(raw: Path, tmp_path: Path, chest: Volume, prepared_now: list[int]):
    masks = tmp_path / "masks"
    write_masks(masks, "1.1", chest.geometry, {3: nodule_mask(chest)})
    run(raw, tmp_path / "store", masks=MaskStore(masks))
    write_masks(masks, "1.1", chest.geometry, {4: nodule_mask(chest)})
    run(raw, tmp_path / "store", masks=MaskStore(masks))
    assert len(prepared_now) == 3


def flipped(volume: Volume) -> Volume:
    """The same chest in the same place, with rows and slices in the opposite order and axes swapped."""
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(volume.array))
    turned = sitk.DICOMOrient(image, "SRA")
    return Volume(sitk.GetArrayFromImage(turned), Geometry.from_sitk(turned))


def test_orientation_changes_nothing(chest: Volume):
    turned = flipped(chest)
    k, j, i = np.rint(turned.geometry.to_voxel(chest.geometry.to_world([NODULE_ZYX]))[0]).astype(int).tolist()
    masks = {1: LesionMask((k, j, i), np.ones((1, 1, 1), bool))}
    upright = {1: LesionMask(NODULE_ZYX, np.ones((1, 1, 1), bool))}
    params = PARAMS.model_copy(update={"spacing_mm": 2.9})  # at 3 mm, grid points lie half-way between voxels
    one = prepare(chest, params, (chest.geometry, upright))
    other = prepare(turned, params, (turned.geometry, masks))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.lung, other.lung)
    np.testing.assert_array_equal(one.labels, other.labels)


def leaning(chest: Volume, lean_deg: float) -> Volume:
    """The chest as a scanner with a tilted gantry takes it: slices turned about x, stacked along z."""
    angle = np.radians(lean_deg)
    direction = np.eye(3)
    direction[:, 1] = (0, np.cos(angle), np.sin(angle))
    geometry = replace(chest.geometry, direction=tuple(map(tuple, direction.tolist())))
    reference = geometry.apply_to_sitk(sitk.GetImageFromArray(chest.array.astype(np.float32)))
    image = chest.geometry.apply_to_sitk(sitk.GetImageFromArray(chest.array.astype(np.float32)))
    sheared = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -1000.0)
    return Volume(np.rint(sitk.GetArrayFromImage(sheared)).astype(np.int16), geometry)


def test_a_tilted_scan_is_straightened_with_its_findings(chest: Volume):
    tilted = leaning(chest, 15.0)
    assert not tilted.geometry.is_orthogonal
    world = chest.geometry.to_world([NODULE_ZYX])
    k, j, i = np.rint(tilted.geometry.to_voxel(world)[0]).astype(int).tolist()
    scan = prepare(tilted, PARAMS, (tilted.geometry, {9: LesionMask((k - 1, j - 1, i - 1), np.ones((3, 3, 3), bool))}))
    assert scan.geometry.is_orthogonal
    (index,) = np.rint(scan.geometry.to_voxel(world)).astype(int)
    assert scan.labels is not None
    assert scan.labels[tuple(index)] == 9
    assert abs(int(scan.image[tuple(index)]) - 255 * 1040 / 1400) < 20
    assert scan.lung[tuple(index)] == 1


def test_slices_with_slanted_columns_are_rejected(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    direction = ((1.0, 0.5, 0.0), (0.0, 0.866, 0.0), (0.0, 0.0, 1.0))
    read = module._read
    monkeypatch.setattr(
        module,
        "_read",
        lambda *args: Volume((volume := read(*args)).array, replace(volume.geometry, direction=direction)),
    )
    assert run(raw, tmp_path / "store").rejections["code"].tolist() == ["skewed_slices"] * 2


def test_the_record_holds_histograms_and_lung_volumes(raw: Path, tmp_path: Path):
    store = run(raw, tmp_path / "store", ("1.1",))
    scan, record = store.open("1.1"), store.record("1.1")
    image, lung = scan.image[:], scan.lung[:]
    assert record["histogram"] == np.bincount(image.ravel(), minlength=256).tolist()
    assert record["lung_histogram"] == np.bincount(image[lung > 0], minlength=256).tolist()
    right_ml, left_ml = record["lung_ml"]
    assert right_ml == pytest.approx(left_ml, rel=0.05)


def test_a_scan_that_needs_too_much_memory_is_rejected_with_the_numbers(raw: Path, tmp_path: Path):
    scans, locations = tables()
    scans.loc[0, ["n_slices", "n_rows", "n_columns"]] = 4000, 1024, 1024
    store = preprocess(raw, scans, locations, None, PARAMS, tmp_path / "store")
    assert store.series_uids == ["1.2"]
    assert store.rejections["code"].tolist() == ["too_large"]
    expected = r"4000 x 1024 x 1024 voxels resampled to 3 mm need \d+\.\d GB, max_memory_gb allows 8\."
    assert store.rejections["reason"].str.fullmatch(expected).all()


def test_a_scan_that_was_too_large_is_prepared_once_it_is_allowed(raw: Path, tmp_path: Path, prepared_now: list[int]):
    tiny = PARAMS.model_copy(update={"max_memory_gb": 0.1})
    assert len(run(raw, tmp_path / "store", params=tiny)) == 0
    assert len(run(raw, tmp_path / "store")) == 2
    assert len(prepared_now) == 2


def test_what_only_changes_the_speed_prepares_nothing_again(raw: Path, tmp_path: Path, prepared_now: list[int]):
    run(raw, tmp_path / "store")
    run(raw, tmp_path / "store", max_memory_gb=4.0)
    assert len(prepared_now) == 2


@pytest.mark.parametrize(
    ("limit_gb", "needs_gb", "wanted", "workers"),
    [
        (8.0, [2.0] * 10, 3, 3),
        (8.0, [2.0] * 10, 16, 4),
        (8.0, [5.0, 2.0, 1.0, 1.0], 8, 3),
        (8.0, [1.0, 1.0, 5.0, 7.9], 8, 1),
        (8.0, [1.0], 8, 8),
        (8.0, [], 2, 2),
    ],
)
def test_workers_are_limited_by_the_largest_scans(limit_gb: float, needs_gb: list[float], wanted: int, workers: int):
    assert workers_within(limit_gb, needs_gb, wanted) == workers


def test_larger_scans_and_finer_grids_need_more_memory():
    usual = needed_gb((300, 512, 512), (1.0, 0.7, 0.7), 1.0)
    assert usual < needed_gb((600, 512, 512), (1.0, 0.7, 0.7), 1.0)
    assert usual < needed_gb((300, 512, 512), (1.0, 0.7, 0.7), 0.7)
