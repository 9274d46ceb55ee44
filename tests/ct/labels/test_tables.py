import pickle
from pathlib import Path

import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import tables
from medpipe.ct.labels.base import Finding
from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers.base import ScanRef

GRID = Geometry((10, 10, 10), (1.0, 1.0, 1.0))
LUNA16_HEADER = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
HEADER = "series_uid,x_mm,y_mm,z_mm,kind"


def scan(uid: str, source: str = "luna16") -> ScanRef:
    return ScanRef(uid, uid, source, uid, GRID)


def run(raw: Path, *scans: ScanRef) -> dict[str, list[Finding]]:
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    jobs = tables.discover(raw, files, scans, IngestCTParams())
    return {
        uid: [item for job in found for item in pickle.loads(pickle.dumps(job))(GRID)] for uid, found in jobs.items()
    }


def test_findings_of_luna16_are_read_with_their_kind(tmp_path: Path):
    (tmp_path / "annotations.csv").write_text(LUNA16_HEADER + "1.20,1,2,3,7.5\n1.21,1,2,3,7.5\n")
    (tmp_path / "annotations_excluded.csv").write_text(LUNA16_HEADER + "1.20,4,5,6,-1\n1.20,4,5,6,-1\n")
    nodule, irrelevant = Finding((1, 2, 3), "nodule", 7.5), Finding((4, 5, 6), "irrelevant")
    assert run(tmp_path, scan("1.20")) == {"1.20": [nodule, irrelevant]}


@pytest.mark.parametrize(("source", "expected"), [("luna16", 1), ("dicom", 1), ("lidc", 0), ("image", 0)])
def test_tables_of_luna16_are_for_scans_of_its_sources(tmp_path: Path, source: str, expected: int):
    (tmp_path / "annotations.csv").write_text(LUNA16_HEADER + "1.20,1,2,3,7.5\n")
    assert len(run(tmp_path, scan("1.20", source))) == expected


def test_a_scan_that_luna16_lists_without_a_finding_was_read(tmp_path: Path):
    (tmp_path / "seriesuids.csv").write_text("1.20\n1.21\n1.22\n")
    assert run(tmp_path, scan("1.20")) == {}
    (tmp_path / "annotations.csv").write_text(LUNA16_HEADER + "1.20,1,2,3,7.5\n")
    assert run(tmp_path, scan("1.20"), scan("1.21"), scan("1.23")) == {
        "1.20": [Finding((1, 2, 3), "nodule", 7.5)],
        "1.21": [],
    }


@pytest.mark.parametrize("source", ["luna16", "dicom", "lidc", "image"])
def test_findings_of_the_users_own_are_for_every_scan(tmp_path: Path, source: str):
    (tmp_path / "findings.csv").write_text(
        f"finding_id,{HEADER},diameter_mm,readers,texture,label,malignancy,texture_rating\n"
        "a,1.20,1,2,3,nodule,8,2,part-solid,left apex,4.5,3\nb,1.20,4,5,6,irrelevant,,,,,,\n"
    )
    first, second = run(tmp_path, scan("1.20", source))["1.20"]
    assert first == Finding(
        (1, 2, 3), "nodule", 8.0, 2, "part-solid", "left apex", {"texture_rating": 3.0, "malignancy": 4.5}
    )
    assert second == Finding((4, 5, 6), "irrelevant")


def test_scans_go_by_the_names_of_their_files_too(tmp_path: Path):
    from medpipe.ct.readers.image_names import series_uid_of

    uid = series_uid_of("my case")
    (tmp_path / "findings.csv").write_text(f"{HEADER}\nmy case,1,2,3,nodule\nanother,1,2,3,nodule\n")
    assert run(tmp_path, scan(uid, "image")) == {uid: [Finding((1, 2, 3))]}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("annotations.csv", "seriesuid,coordX,coordY,coordZ\n1,1,1,1\n", "column 'diameter_mm' is missing"),
        ("annotations.csv", LUNA16_HEADER + "1,1,x,1,1\n", "column 'coordY' holds 'x'"),
        ("annotations.csv", LUNA16_HEADER + "1,1,1,1,1\n1,1,,1,1\n", "column 'coordY' holds nan in line 3"),
        ("annotations.csv", LUNA16_HEADER + "1,inf,1,1,1\n", "column 'coordX' holds inf in line 2"),
        ("annotations_excluded.csv", "", "not a comma-separated table"),
        ("findings.csv", "series_uid,x_mm,y_mm,z_mm\n1,1,1,1\n", "column 'kind' is missing"),
        ("findings.csv", f"{HEADER}\n1,1,1,1,nodul\n", "column 'kind' holds 'nodul', one of nodule, irrelevant"),
        ("findings.csv", f"{HEADER},texture\n1,1,1,1,nodule,soft\n", "column 'texture' holds 'soft'"),
        ("findings.csv", f"{HEADER},diameter_mm\n1,1,1,1,nodule,big\n", "column 'diameter_mm' holds 'big'"),
        ("findings.csv", f"{HEADER},margin\n1,1,1,1,nodule,sharp\n", "column 'margin' holds 'sharp'"),
        ("findings.csv", f"{HEADER}\n,1,1,1,nodule\n", "column 'series_uid' holds nothing"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, name: str, text: str, words: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        run(tmp_path, scan("1"))
    assert name in str(caught.value)


def test_the_real_tables_are_read_whole(shared_data: Path):
    folder = shared_data / "luna16_csv"
    listed = [line for line in (folder / "seriesuids.csv").read_text().split() if line]
    found = run(folder, *map(scan, listed))
    kinds = pd.Series([item.kind for findings in found.values() for item in findings]).value_counts()
    assert len(found) == 888
    assert kinds["nodule"] == 1186
    excluded = pd.read_csv(folder / "annotations_excluded.csv")
    assert kinds["irrelevant"] == len(excluded[excluded["seriesuid"].isin(listed)].drop_duplicates())
    assert sum(not any(item.kind == "nodule" for item in items) for items in found.values()) == 888 - 601
