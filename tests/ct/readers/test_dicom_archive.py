import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.readers import ScanReadError, archive, dicom
from medpipe.ct.volume import Volume
from tests.ct.readers.dicom_samples import all_files, discover, the_scan
from tests.ct.scans import write_dicom


def zip_folder(folder: Path, target: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", method) as packed:
        for file in all_files(folder):
            packed.write(file, file.relative_to(folder).as_posix())
    shutil.rmtree(folder)
    return target


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_series_is_read_where_it_lies_in_its_archive(tmp_path: Path, chest: Volume, method: int):
    raw = tmp_path / "raw"
    write_dicom(tmp_path / "made" / "in ner", chest)
    (tmp_path / "made" / "__MACOSX").mkdir()
    (tmp_path / "made" / "__MACOSX" / "._x.dcm").write_bytes(b"nothing")
    packed = zip_folder(tmp_path / "made", raw / "a" / "scan.ZIP", method)
    before = all_files(raw)
    scan = the_scan(raw)
    assert (scan.path, scan.rejection) == ("a/scan.ZIP/in ner", None)
    volume = dicom.read_volume(raw, scan.path, scan.series_uid)
    np.testing.assert_array_equal(volume.array, chest.array)
    assert volume.geometry == scan.geometry
    np.testing.assert_array_equal(dicom.read_samples(raw, scan), chest.array[[13, 22, 30]])
    assert dicom.content(raw, scan.path) == [packed]
    assert all_files(raw) == before


def test_a_series_may_lie_half_in_an_archive(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    files = write_dicom(raw / "x", chest)
    for file in files[::2]:
        (tmp_path / "half").mkdir(exist_ok=True)
        file.rename(tmp_path / "half" / file.name)
    zip_folder(tmp_path / "half", raw / "x" / "half.zip")
    assert the_scan(raw).path == "x"
    np.testing.assert_array_equal(dicom.read_volume(raw, "x", "1.2.3").array, chest.array)


def test_an_archive_that_changed_is_read_anew(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    write_dicom(tmp_path / "a", chest)
    zip_folder(tmp_path / "a", raw / "scan.zip")
    dicom.read_volume(raw, "scan.zip", "1.2.3")
    write_dicom(tmp_path / "b", Volume(chest.array[::-1], chest.geometry))
    zip_folder(tmp_path / "b", raw / "scan.zip", zipfile.ZIP_STORED)
    np.testing.assert_array_equal(dicom.read_volume(raw, "scan.zip", "1.2.3").array, chest.array[::-1])


def _encrypted(data: bytearray) -> bytearray:
    """Sets the flag of encryption in the directory and in the member's own header (APPNOTE 4.3.7, 4.3.12)."""
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        first = data.index(signature)
        data[first + at] |= 1
    return data


def _deflate64(data: bytearray) -> bytearray:
    first = data.index(b"PK\x01\x02")
    data[first + 10] = 9
    return data


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "cannot be opened (BadZipFile)"),
        (lambda data: bytearray(b"not a zip"), "cannot be opened (BadZipFile)"),
        (lambda data: bytearray(), "cannot be opened"),
        (_encrypted, "encrypted"),
        (_deflate64, "method 9"),
    ],
)
def test_archives_that_cannot_be_read_are_told(tmp_path: Path, chest: Volume, damage, words: str):
    raw = tmp_path / "raw"
    write_dicom(tmp_path / "a", chest)
    packed = zip_folder(tmp_path / "a", raw / "Mueller.zip")
    packed.write_bytes(damage(bytearray(packed.read_bytes())))
    scan = the_scan(raw)
    assert scan.rejection is not None
    assert (scan.rejection.code, scan.rejection.file) == ("unreadable", "Mueller.zip")
    assert words in scan.rejection.reason
    assert "Mueller" not in scan.rejection.reason + scan.series_uid
    with pytest.raises(ScanReadError):
        dicom.read_volume(raw, "Mueller.zip", "1.2.3")


def test_a_bomb_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.dcm", bytes(4 << 20))
    scan = the_scan(tmp_path)
    assert scan.rejection is not None
    assert "times its size" in scan.rejection.reason


def test_an_archive_within_an_archive_is_told(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "made", chest)
    zip_folder(tmp_path / "made", tmp_path / "outer" / "inner.zip")
    zip_folder(tmp_path / "outer", tmp_path / "raw" / "outer.zip")
    scan = the_scan(tmp_path / "raw")
    assert scan.rejection is not None
    assert scan.rejection.file == "outer.zip/inner.zip"
    assert "archive within an archive" in scan.rejection.reason


def test_names_that_lead_out_are_left_out(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for name in ("../out.dcm", "/etc/absolute.dcm", "a/../../b.dcm", "./fine/c.dcm", ".hidden/d.dcm"):
            packed.writestr(name, b"x")
    names = [file.relative_to(tmp_path).as_posix() for file in archive.expand([tmp_path / "x.zip"])[0]]
    assert names == ["x.zip/etc/absolute.dcm", "x.zip/fine/c.dcm"]
    assert archive.files_below(tmp_path / "x.zip") == archive.files_below(tmp_path)


def test_a_damaged_member_is_told_beside_its_series(tmp_path: Path, chest: Volume):
    raw = tmp_path / "raw"
    middle = write_dicom(tmp_path / "a", chest)[20].name
    packed = zip_folder(tmp_path / "a", raw / "x.zip", zipfile.ZIP_STORED)
    with zipfile.ZipFile(packed) as opened:
        header = opened.getinfo(middle).header_offset
    data = bytearray(packed.read_bytes())
    data[header : header + 4] = bytes(4)
    packed.write_bytes(data)
    assert [scan.rejection.code for scan in discover(raw) if scan.rejection] == ["missing_slices", "unreadable"]


def test_a_flipped_bit_in_a_member_is_found(tmp_path: Path):
    raw = tmp_path / "raw"
    shape = (3, 256, 256)
    write_dicom(tmp_path / "a", Volume(np.zeros(shape, dtype=np.int16), Geometry(shape, (3.0, 1.0, 1.0))))
    packed = zip_folder(tmp_path / "a", raw / "x.zip", zipfile.ZIP_STORED)
    with zipfile.ZipFile(packed) as opened:
        pixels = opened.infolist()[1].header_offset + 100_000  # of 131 kB; intake reads the beginning
    data = bytearray(packed.read_bytes())
    data[pixels] ^= 1
    packed.write_bytes(data)
    assert the_scan(raw).rejection is None
    with pytest.raises(ScanReadError, match="BadZipFile"):
        dicom.read_volume(raw, "x.zip", "1.2.3")


def test_a_folder_may_be_named_like_an_archive(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "x.zip", chest)
    scan = the_scan(tmp_path)
    assert (scan.path, scan.rejection) == ("x.zip", None)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, scan.path, "1.2.3").array, chest.array)
    assert dicom.content(tmp_path, scan.path) == [tmp_path / "x.zip"]


def test_archives_without_dicom_are_no_scans(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("notes.txt", "nothing")
        packed.writestr("README", "nothing")
    assert discover(tmp_path) == []
