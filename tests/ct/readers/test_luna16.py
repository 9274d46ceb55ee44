from pathlib import Path

import numpy as np
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.readers import luna16
from medpipe.ct.volume import Volume
from tests.ct.scans import write_mhd


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def discover(folder: Path):
    return luna16.discover(folder, files_in(folder))


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "zraw"])
def test_a_scan_comes_back_as_it_was_written(tmp_path: Path, chest: Volume, compress: bool):
    file = write_mhd(tmp_path / "subset3" / "1.2.3.mhd", chest, compress)
    (scan,) = discover(tmp_path)
    assert (scan.series_uid, scan.patient_id, scan.path) == ("1.2.3", "1.2.3", "subset3/1.2.3.mhd")
    assert scan.rejection is None
    volume = luna16.read_volume(file)
    assert volume.geometry == scan.geometry == chest.geometry
    np.testing.assert_array_equal(volume.array, chest.array)
    np.testing.assert_array_equal(luna16.read_samples(file)[0], chest.array[len(chest.array) // 2])


def test_patients_are_taken_from_their_table(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "subset0" / "1.2.3.mhd", chest)
    (tmp_path / "patients.csv").write_text("series_uid,patient_id\n1.2.3,0007\n")
    assert discover(tmp_path)[0].patient_id == "0007"


def test_lung_masks_of_the_challenge_are_no_scans(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "seg-lungs-LUNA16" / "1.2.3.mhd", chest)
    assert discover(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.write_text("not a header"), "no MetaImage header"),
        (lambda file: file.with_suffix(".raw").unlink(), "are missing"),
        (lambda file: file.with_suffix(".raw").write_bytes(b"short"), "cut short: 5 bytes"),
    ],
    ids=["header", "missing", "short"],
)
def test_damaged_files_are_told_with_their_reason(tmp_path: Path, chest: Volume, damage, words: str):
    damage(write_mhd(tmp_path / "1.2.3.mhd", chest))
    (scan,) = discover(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.code == "unreadable"
    assert words in scan.rejection.reason


def test_findings_are_read_with_their_kind(tmp_path: Path):
    header = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
    (tmp_path / "annotations.csv").write_text(header + "1.20,1,2,3,7.5\n")
    (tmp_path / "annotations_excluded.csv").write_text(header + "1.20,4,5,6,-1\n1.20,4,5,6,-1\n")
    table = luna16.findings(files_in(tmp_path))
    assert table["series_uid"].tolist() == ["1.20", "1.20"]
    assert table["kind"].tolist() == ["nodule", "irrelevant"]
    assert table["diameter_mm"].iloc[0] == 7.5
    assert table["diameter_mm"].isna().iloc[1]
    assert table["finding_id"].is_unique


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seriesuid,coordX,coordY,coordZ\n1,1,1,1\n", "column 'diameter_mm' is missing"),
        ("seriesuid,coordX,coordY,coordZ,diameter_mm\n1,1,x,1,1\n", "column 'coordY' holds 'x'"),
        ("", "not a comma-separated table"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str, words: str):
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        luna16.findings(files_in(tmp_path))


def test_the_real_tables_are_read_whole(shared_data: Path):
    table = luna16.findings(files_in(shared_data / "luna16_csv"))
    assert (table["kind"] == "nodule").sum() == 1186
    assert luna16.missing_series(files_in(shared_data / "luna16_csv"), set(table["series_uid"].unique()[:5])) == 883
