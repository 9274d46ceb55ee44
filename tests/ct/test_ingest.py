import logging
import os
from pathlib import Path

import numpy as np
import pytest

from medpipe.core.errors import InputError
from medpipe.ct import ingest as intake_module
from medpipe.ct.findings import FINDING_COLUMNS, label_scan
from medpipe.ct.geometry import Geometry
from medpipe.ct.ingest import SCAN_COLUMNS, Intake
from medpipe.ct.params import GateParams, IngestCTParams, SplitParams
from medpipe.ct.volume import Volume
from tests.ct.scans import write_dicom, write_mhd

PARAMS = IngestCTParams(n_jobs=1, gate=GateParams(max_slice_spacing_mm=5), pseudonyms="never")
HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"


def ingest(raw: Path, params: IngestCTParams) -> Intake:
    """Intake of a folder, with its own work beside the raw files."""
    return intake_module.ingest(raw, params, raw / ".masks", raw / ".identity")


@pytest.fixture
def raw(tmp_path: Path, chest: Volume) -> Path:
    """Two MetaImages of one patient and a DICOM series, with findings."""
    for uid in ("1.1", "1.2"):
        write_mhd(tmp_path / "luna16" / "subset0" / f"{uid}.mhd", chest)
    (tmp_path / "luna16" / "patients.csv").write_text("series_uid,patient_id\n1.1,Secret^Name\n1.2,Secret^Name\n")
    (tmp_path / "luna16" / "annotations.csv").write_text(
        HEADER + "1.1,0,0,0,9\n1.2,5,5,5,9\n1.2,999,5,5,9\n9.9,0,0,0,9\n"
    )
    (tmp_path / "luna16" / "annotations_excluded.csv").write_text(HEADER + "1.1,1,1,1,-1\n")
    write_dicom(tmp_path / "dicom" / "p" / "s", chest, "1.3")
    (tmp_path / "dicom" / "findings.csv").write_text("series_uid,x_mm,y_mm,z_mm,kind\n1.3,0,0,0,nodule\n")
    return tmp_path


def codes(raw: Path, params: IngestCTParams = PARAMS) -> dict[str, str | None]:
    scans = ingest(raw, params).scans
    return {
        uid: None if accepted else code
        for uid, accepted, code in scans[["series_uid", "accepted", "rejection_code"]].itertuples(index=False)
    }


def test_a_mixed_folder_gives_three_tables(raw: Path):
    intake = ingest(raw, PARAMS)
    assert {name: str(kind) for name, kind in intake.scans.dtypes.items()} == SCAN_COLUMNS
    assert {name: str(kind) for name, kind in intake.nodules.dtypes.items()} == FINDING_COLUMNS
    assert intake.scans[["series_uid", "source"]].to_numpy().tolist() == [
        ["1.1", "luna16"],
        ["1.2", "luna16"],
        ["1.3", "dicom"],
    ]
    assert intake.scans["accepted"].all()
    assert intake.nodules[["series_uid", "kind"]].to_numpy().tolist() == [
        ["1.1", "nodule"],
        ["1.1", "irrelevant"],
        ["1.2", "nodule"],
        ["1.3", "nodule"],
    ]
    assert intake.nodules["finding_id"].is_unique
    assert sorted(intake.splits["patient_id"]) == ["Secret^Name", "patient"]


def test_a_finding_outside_its_volume_is_told(raw: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        intake = ingest(raw, PARAMS)
    assert intake.outside == {"1.2": 1}
    assert "series 1.2: 1 findings lie outside the volume" in caplog.text


def test_patients_are_not_named_in_the_log(raw: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        ingest(raw, PARAMS)
    assert caplog.text
    assert "Secret" not in caplog.text


def test_a_series_counts_once(raw: Path, chest: Volume):
    write_dicom(raw / "lidc", chest, "1.1")
    intake = ingest(raw, PARAMS)
    rejected = intake.scans[~intake.scans["accepted"]]
    assert rejected[["series_uid", "rejection_code"]].to_numpy().tolist() == [["1.1#2", "duplicate_series"]]
    assert intake.locations.set_index("series_uid").loc["1.1#2", "file_at_fault"] == "lidc"


def test_a_bad_scan_stops_no_other(raw: Path):
    (raw / "luna16" / "subset0" / "1.1.raw").write_bytes(b"")
    assert codes(raw) == {"1.1": "unreadable", "1.2": None, "1.3": None}


def test_a_damaged_slice_is_found_at_intake(raw: Path):
    for file in (raw / "dicom" / "p" / "s").iterdir():
        file.write_bytes(file.read_bytes()[:-500])
    assert codes(raw)["1.3"] == "truncated_pixels"


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        (GateParams(max_slice_spacing_mm=2), "thick_slices"),
        (GateParams(max_slice_spacing_mm=5, min_extent_mm=200), "short_extent"),
        (GateParams(max_slice_spacing_mm=5, min_slices=50), "too_few_slices"),
    ],
)
def test_limits_have_their_code(raw: Path, gate: GateParams, code: str):
    assert set(codes(raw, PARAMS.model_copy(update={"gate": gate})).values()) == {code}


@pytest.mark.parametrize(
    "change",
    [lambda hu: hu + 1024, lambda hu: hu * 0, lambda hu: (hu > -500).astype(np.int16)],
    ids=["shift", "zero", "mask"],
)
def test_values_that_are_no_hounsfield_units(tmp_path: Path, chest: Volume, change):
    write_mhd(tmp_path / "1.mhd", Volume(change(chest.array).astype(np.int16), chest.geometry))
    assert codes(tmp_path) == {"1": "absurd_hu"}


def test_sizes_are_along_the_patients_axes(tmp_path: Path, chest: Volume):
    sagittal = Geometry((80, 44, 64), (4.0, 3.0, 4.0), chest.geometry.origin_xyz_mm, ((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    write_mhd(tmp_path / "1.mhd", Volume(np.ascontiguousarray(chest.array.transpose(2, 0, 1)), sagittal))
    (row,) = ingest(tmp_path, PARAMS).scans.to_dict("records")
    assert [row[name] for name in ("n_slices", "n_rows", "n_columns", "spacing_z_mm")] == [44, 64, 80, 3.0]


def test_a_name_that_cannot_be_stored_is_rejected(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "a scan.mhd", chest)
    assert codes(tmp_path) == {"a scan": "bad_uid"}


def test_a_folder_without_scans_is_named_with_what_was_looked_for(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"no scan among 1 files; looked for by .*: luna16, dicom, images"):
        ingest(tmp_path, PARAMS)


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="absent: the folder of raw scans does not exist"):
        ingest(tmp_path / "absent", PARAMS)


def test_real_scans_and_their_readers(shared_data: Path, tmp_path: Path):
    params = IngestCTParams(n_jobs=1, split=SplitParams(train=0, val=0, test=1))
    intake = intake_module.ingest(shared_data / "lidc", params, tmp_path)
    accepted = intake.scans[intake.scans["accepted"]]
    assert accepted["patient_id"].tolist() == ["LIDC-IDRI-0001", "LIDC-IDRI-0063"]
    assert set(accepted["source"]) == {"lidc"}
    assert set(intake.scans["rejection_code"].dropna()) == {"short_extent"}
    nodules = intake.nodules[intake.nodules["kind"] == "nodule"]
    assert nodules["diameter_mm"].round(1).tolist() == [23.1, 8.8, 7.0]
    assert nodules["readers"].tolist() == [4, 3, 4]
    assert nodules["has_mask"].all()
    assert set(intake.splits["split"]) == {"test"}


def test_readers_and_labels_that_fail_in_any_way_stop_no_other_scan(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise MemoryError("Secret^Name")

    (scan,) = intake_module.luna16.discover(raw, list(raw.rglob("1.1.mhd")), PARAMS)
    labelled = label_scan((scan, "1.1", [fail]), tmp_path / "masks")
    assert labelled.scan.rejection is not None
    assert labelled.scan.rejection.code == "damaged_labels"
    assert "Secret" not in labelled.scan.rejection.reason
    monkeypatch.setattr(intake_module.luna16, "read_samples", fail)
    assert codes(raw) == {"1.1": "unreadable", "1.2": "unreadable", "1.3": None}


@pytest.mark.skipif(os.name == "nt", reason="names of files are always Unicode there")
def test_names_that_are_not_in_utf_8_stop_no_other_scan(raw: Path, chest: Volume):
    """Old exports have names in Latin-1: no table can hold them, and ITK ends the process at them."""
    name = os.fsdecode(b"M\xdcLLER")
    write_dicom(raw / name, chest, "1.4")
    (raw / "dicom" / f"{name}.dcm").write_bytes(b"no DICOM")
    for suffix in (".nii", ".mhd", "_seg.nii"):
        (raw / f"{name}{suffix}").write_bytes((raw / "luna16" / "subset0" / "1.1.mhd").read_bytes())
    intake = ingest(raw, PARAMS)
    assert intake.scans.loc[intake.scans["accepted"], "series_uid"].tolist() == ["1.1", "1.2", "1.3"]
    assert intake.scans.loc[~intake.scans["accepted"], "rejection_code"].tolist() == ["unreadable"] * 4
    intake.locations.to_parquet(raw / "locations.parquet")
