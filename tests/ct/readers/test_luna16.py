import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers import luna16
from medpipe.ct.readers.base import ScanReadError
from medpipe.ct.volume import Volume
from tests.ct.scans import write_mhd


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def discover(folder: Path):
    return luna16.discover(folder, files_in(folder), IngestCTParams())


@pytest.mark.parametrize(
    ("name", "compress", "n_files", "n_samples"),
    [("1.2.3.mhd", False, 2, 3), ("1.2.3.mhd", True, 2, 1), ("1.2.3.mha", False, 1, 3), ("1.2.3.mha", True, 1, 1)],
    ids=["raw", "zraw", "mha", "zmha"],
)
def test_a_scan_comes_back_as_it_was_written(
    tmp_path: Path, chest: Volume, name: str, compress: bool, n_files: int, n_samples: int
):
    write_mhd(tmp_path / "subset3" / name, chest, compress)
    (scan,) = discover(tmp_path)
    assert (scan.series_uid, scan.patient_id, scan.path) == ("1.2.3", "1.2.3", f"subset3/{name}")
    assert scan.rejection is None
    volume = luna16.read_volume(tmp_path, scan.path, scan.series_uid)
    assert volume.geometry == scan.geometry == chest.geometry
    np.testing.assert_array_equal(volume.array, chest.array)
    samples = luna16.read_samples(tmp_path, scan)
    assert len(samples) == n_samples
    np.testing.assert_array_equal(samples[n_samples // 2], chest.array[len(chest.array) // 2])
    assert sorted(luna16.content(tmp_path, scan.path)) == files_in(tmp_path)
    assert len(files_in(tmp_path)) == n_files


def test_patients_are_taken_from_their_table(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "subset0" / "1.2.3.mhd", chest)
    (tmp_path / "patients.csv").write_text("series_uid,patient_id\n1.2.3,0007\n")
    assert discover(tmp_path)[0].patient_id == "0007"


def test_lung_masks_of_the_challenge_are_no_scans(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "seg-lungs-LUNA16" / "1.2.3.mhd", chest)
    assert discover(tmp_path) == []


def test_label_maps_beside_a_scan_are_no_scans(tmp_path: Path, chest: Volume):
    write_mhd(tmp_path / "1.2.3.mhd", chest)
    write_mhd(tmp_path / "1.2.3_seg.mhd", chest)
    assert [scan.series_uid for scan in discover(tmp_path)] == ["1.2.3"]


def test_values_beyond_int16_are_rounded_and_clipped(tmp_path: Path):
    values = np.zeros((3, 4, 5))
    values[0, 0] = [-0.6, 0.4, 1.6, 1e6, np.nan]
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "1.2.3.mhd"))
    array = luna16.read_volume(tmp_path, "1.2.3.mhd", "1.2.3").array
    assert array.dtype == np.int16
    assert array[0, 0].tolist() == [-1, 0, 2, 32767, -32768]


def test_voxels_at_the_end_of_a_file_are_found_by_their_number(tmp_path: Path, chest: Volume):
    """``HeaderSize = -1``: whatever comes first, the voxels are what the file ends with."""
    file = write_mhd(tmp_path / "1.2.3.mhd", chest)
    replaced("CompressedData = False", "CompressedData = False\nHeaderSize = -1")(file)
    data = file.with_suffix(".raw")
    data.write_bytes(b"another header" * 1000 + data.read_bytes())
    np.testing.assert_array_equal(luna16.read_volume(tmp_path, file.name, "1.2.3").array, chest.array)


def replaced(old: str, new: str):
    def damage(file: Path) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.write_text("not a header"), "no MetaImage header"),
        (lambda file: file.write_bytes(b"NDims = 3" * 5000), "too long"),
        (lambda file: file.with_suffix(".raw").unlink(), "missing"),
        (lambda file: file.with_suffix(".raw").write_bytes(b"short"), "cut short: 5 bytes"),
        (replaced("DimSize = 80 64 44", "DimSize = 80 64"), "size of other than 3 numbers"),
        (replaced("DimSize = 80 64 44", "DimSize = 80 x 44"), "size that is no number"),
        (replaced("DimSize = 80 64 44", "DimSize = -80 64 44"), "a volume is expected"),
        (replaced("DimSize = 80 64 44", "DimSize = 1e30 1 1"), "at most"),
        (replaced("DimSize = 80 64 44", "DimSize = 80 64 4400000"), "at most"),
        (replaced("DimSize = 80 64 44", "DimSize = 80 64 45"), "cut short"),
        (replaced("NDims = 3", "NDims = 3000"), "3000 dimensions"),
        (replaced("NDims = 3", "NDims = nan"), "dimensions of other than"),
        (replaced("ElementSpacing = 4", "ElementSpacing = 0"), "distance of voxels"),
        (replaced("ElementSpacing = 4", "ElementSpacing = 4000"), "distance of voxels"),
        (replaced("ElementSpacing = 4", "ElementSpacing = inf"), "ElementSpacing"),
        (replaced("Offset = -158", "Offset = -1e300"), "place in the world"),
        (replaced("TransformMatrix = 1 0 0", "TransformMatrix = 0 0 0"), "cannot be read|axes"),
        (replaced("1.2.3.raw", "../1.2.3.raw"), "outside its own folder"),
        (replaced("1.2.3.raw", "/etc/passwd"), "outside its own folder"),
        (replaced("1.2.3.raw", "LIST"), "several files"),
        (replaced("1.2.3.raw", "slice%03d.raw 1 44 1"), "several files"),
        (replaced("CompressedData = False", "CompressedData = True\nCompressedDataSize = 9999999999"), "cut short"),
    ],
)
def test_damaged_files_are_told_with_their_reason(tmp_path: Path, chest: Volume, damage, words: str):
    damage(write_mhd(tmp_path / "1.2.3.mhd", chest))
    (scan,) = discover(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.file == "1.2.3.mhd"
    with pytest.raises(ScanReadError, match=words) as caught:
        luna16.read_volume(tmp_path, scan.path, scan.series_uid)
    assert (caught.value.code, caught.value.reason) == (scan.rejection.code, scan.rejection.reason)
    assert "1.2.3" not in scan.rejection.reason
    assert luna16.content(tmp_path, scan.path)[0] == tmp_path / "1.2.3.mhd"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (replaced("ElementType = MET_SHORT", "ElementType = MET_SHORT\nElementNumberOfChannels = 3"), "not_ct"),
        (replaced("ElementType = MET_SHORT", "ElementType = MET_OTHER"), "not_ct"),
        (replaced("NDims = 3", "NDims = 2"), "unreadable"),
    ],
)
def test_what_is_no_ct_is_told_by_its_code(tmp_path: Path, chest: Volume, damage, code: str):
    damage(write_mhd(tmp_path / "1.2.3.mhd", chest))
    (scan,) = discover(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.code == code


def test_images_of_other_dimensions_are_told_by_their_code(tmp_path: Path):
    sitk.WriteImage(sitk.Image([4, 4, 4, 2], sitk.sitkInt16), str(tmp_path / "four.mhd"))
    sitk.WriteImage(sitk.Image([4, 4], sitk.sitkInt16), str(tmp_path / "two.mhd"))
    codes = {scan.series_uid: scan.rejection.code for scan in discover(tmp_path) if scan.rejection}
    assert codes == {"four": "four_dimensional", "two": "not_a_volume"}


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_compressed_file_is_told_when_it_is_read(tmp_path: Path, chest: Volume, damage: str):
    data = write_mhd(tmp_path / "1.2.3.mhd", chest, compress=True).with_suffix(".zraw")
    header, content = data.with_suffix(".mhd"), bytearray(data.read_bytes())
    header.write_text(re.sub("CompressedDataSize.*\n", "", header.read_text()))
    middle = len(content) // 3
    if damage == "cut":
        del content[middle:]
    else:
        content[middle : middle + 8] = b"\0" * 8
    data.write_bytes(content)
    with pytest.raises(ScanReadError, match="voxels"):
        luna16.read_volume(tmp_path, "1.2.3.mhd", "1.2.3")
    if damage == "cut":
        with pytest.raises(ScanReadError, match=r"cut short|cannot be read"):
            luna16.read_samples(tmp_path, discover(tmp_path)[0])


def test_what_the_challenge_lists_and_the_folder_lacks_is_counted(shared_data: Path):
    files = files_in(shared_data / "luna16_csv")
    listed = luna16.listed_series(files)
    assert len(listed) == 888
    assert luna16.missing_series(files, set(sorted(listed)[:5])) == 883
