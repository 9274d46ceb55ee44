import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from medpipe.core.errors import InputError
from medpipe.ct.identity import KEY_FILE, load_key, needs_pseudonym, patient_pseudonym, series_pseudonym
from medpipe.ct.ingest import Intake, ingest
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.volume import Volume
from tests.ct.scans import write_dicom, write_mhd

GATE = GateParams(max_slice_spacing_mm=5)
SECRET = "Doe^Jane^19560403"


def hospital(raw: Path, chest: Volume) -> Path:
    """Two series of one patient under names that tell who it is, one of them broken."""
    write_dicom(raw / SECRET / "series", chest, "1.2.840.1", PatientID=SECRET, PatientName=SECRET)
    write_dicom(raw / SECRET / "gap", chest, "1.2.840.2", PatientID=SECRET, PatientName=SECRET)
    next(iter(sorted((raw / SECRET / "gap").iterdir()))).unlink()
    (raw / SECRET / f"{SECRET}.dcm").write_bytes(b"no DICOM")
    (raw / "findings.csv").write_text("series_uid,x_mm,y_mm,z_mm,kind\n1.2.840.1,0,0,0,nodule\n")
    return raw


def take(raw: Path, work: Path, policy: str = "auto") -> Intake:
    return ingest(raw, IngestCTParams(n_jobs=1, gate=GATE, pseudonyms=policy), work / "masks", work / "identity")


def test_nothing_that_leaves_the_raw_layer_names_the_patient(
    tmp_path: Path, chest: Volume, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG")
    intake = take(hospital(tmp_path / "raw", chest), tmp_path)
    told = "\n".join(table.to_csv() for table in (intake.scans, intake.nodules, intake.splits)) + caplog.text
    for identity in (SECRET, "Doe", "1.2.840.1", "1.2.840.2"):
        assert identity not in told
    assert len(intake.scans) == 3
    assert intake.scans["accepted"].sum() == 1
    assert intake.nodules["series_uid"].tolist() == intake.scans.loc[intake.scans["accepted"], "series_uid"].tolist()
    assert intake.scans.loc[intake.scans["n_slices"].notna(), "patient_id"].nunique() == 1


def test_the_raw_layer_leads_back(tmp_path: Path, chest: Volume):
    intake = take(hospital(tmp_path / "raw", chest), tmp_path)
    accepted = intake.scans.loc[intake.scans["accepted"], "series_uid"].iloc[0]
    place = intake.locations.set_index("series_uid").loc[accepted]
    assert place["source_series_uid"] == "1.2.840.1"
    assert place["source_patient_id"] == SECRET
    assert place["path"] == f"{SECRET}/series"


def test_pseudonyms_stay_and_splits_do_not_depend_on_them(tmp_path: Path, chest: Volume):
    raw = hospital(tmp_path / "raw", chest)
    first, again, other = take(raw, tmp_path), take(raw, tmp_path), take(raw, tmp_path / "elsewhere")
    assert first.scans.equals(again.scans)
    assert first.scans["series_uid"].tolist() != other.scans["series_uid"].tolist()
    assert (
        first.splits["split"].tolist()
        == other.splits["split"].tolist()
        == take(raw, tmp_path, "never").splits["split"].tolist()
    )


def test_published_and_deidentified_scans_keep_their_uids(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    write_mhd(raw / "luna16" / "1.3.6.1.mhd", chest)
    write_dicom(raw / "public", chest, "1.3.6.2", PatientID="PUBLIC-0001", PatientIdentityRemoved="YES")
    intake = take(raw, tmp_path)
    assert intake.scans["series_uid"].tolist() == ["1.3.6.1", "1.3.6.2"]
    assert not (tmp_path / "identity").exists()
    assert set(take(raw, tmp_path, "always").scans["series_uid"]).isdisjoint({"1.3.6.1", "1.3.6.2"})


def test_image_files_may_be_named_after_patients(tmp_path: Path, chest: Volume):
    """So may somebody's own MetaImages and own readings in LIDC's format."""
    raw = tmp_path / "raw"
    write_mhd(raw / "Doe_Jane.mhd", chest)
    image = chest.geometry.apply_to_sitk(sitk.GetImageFromArray(chest.array))
    sitk.WriteImage(image, str(raw / f"{SECRET}.nii"))
    sitk.WriteImage(image, str(raw / "Jane.nrrd"))
    (raw / "findings.csv").write_text(
        f"series_uid,x_mm,y_mm,z_mm,kind,label\n{SECRET},0,0,0,nodule,Jane's\nDoe_Jane,0,0,0,nodule,\n"
    )
    mask = np.zeros(chest.array.shape, dtype=np.uint8)
    mask[5:9, 20:30, 20:30] = 3
    sitk.WriteImage(chest.geometry.apply_to_sitk(sitk.GetImageFromArray(mask)), str(raw / "Jane_seg.nrrd"))
    intake = take(raw, tmp_path)
    told = "\n".join(table.to_csv() for table in (intake.scans, intake.nodules, intake.splits))
    assert "Jane" not in told
    assert len(intake.nodules) == 3
    assert intake.nodules["label"].dropna().tolist() == ["value 3"]  # which organ it is stays known
    own = ScanRef("1.2.840.1", "Doe", "lidc", "a", reader="dicom")
    assert needs_pseudonym(own, "auto")
    assert not needs_pseudonym(replace(own, series_uid="1.3.6.1.4.1.14519.5.2.1.6279.6001.1"), "auto")


def test_a_pseudonym_is_a_dicom_uid():
    key = bytes(range(32))
    for uid in ("1.2.3", "x" * 200):
        pseudonym = pydicom.uid.UID(series_pseudonym(uid, key))
        assert pseudonym.is_valid
        assert pseudonym != series_pseudonym(uid, key[::-1])
    assert series_pseudonym("a", key) != series_pseudonym("b", key)
    assert len(patient_pseudonym("a", key)) == 32


def test_the_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path):
    key = load_key(tmp_path / "identity")
    assert load_key(tmp_path / "identity") == key
    assert stat.S_IMODE((tmp_path / "identity" / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "abcd", "not hexadecimal"])
def test_a_damaged_key_is_named(tmp_path: Path, text: str):
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(InputError, match=KEY_FILE):
        load_key(tmp_path)


def test_without_a_place_for_the_key_nothing_is_told(tmp_path: Path, chest: Volume):
    raw = hospital(tmp_path / "raw", chest)
    with pytest.raises(InputError, match=r"ingest_ct\.pseudonyms"):
        ingest(raw, IngestCTParams(n_jobs=1, gate=GATE), tmp_path / "masks")
