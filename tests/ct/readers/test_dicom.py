import pickle
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers import Reader, ScanReadError, dicom, find_reader
from medpipe.ct.volume import Volume
from tests.ct.readers.dicom_samples import all_files, discover, the_scan
from tests.ct.scans import write_dicom

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def test_it_is_a_reader():
    reader: Reader = find_reader("dicom")
    assert reader.SOURCE == "dicom"


def test_a_series_comes_back_as_it_was_written(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "a" / "b", chest, "1.2.3", ConvolutionKernel="LUNG", ManufacturerModelName="Model 5")
    scan = the_scan(tmp_path)
    assert (scan.series_uid, scan.patient_id, scan.path, scan.kernel) == ("1.2.3", "patient", "a/b", "LUNG")
    assert (scan.model, scan.manufacturer, scan.deidentified) == ("Model 5", None, False)
    volume = dicom.read_volume(tmp_path, scan.path, "1.2.3")
    np.testing.assert_array_equal(volume.array, chest.array)
    assert volume.geometry == scan.geometry
    np.testing.assert_allclose(volume.geometry.origin_xyz_mm, chest.geometry.origin_xyz_mm, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing_zyx_mm, chest.geometry.spacing_zyx_mm, atol=1e-6)
    assert dicom.content(tmp_path, scan.path) == [tmp_path / "a" / "b"]
    assert pickle.loads(pickle.dumps(scan)) == scan


def test_samples_are_slices_of_the_volume(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest)
    samples = dicom.read_samples(tmp_path, the_scan(tmp_path))
    np.testing.assert_array_equal(samples, chest.array[[13, 22, 30]])


def test_series_are_told_apart_within_one_folder(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "a", chest, "1.2.3")
    for file in write_dicom(tmp_path / "b", Volume(chest.array[::-1], chest.geometry), "1.2.4"):
        file.rename(tmp_path / "a" / f"other{file.name}")
    assert [scan.series_uid for scan in discover(tmp_path)] == ["1.2.3", "1.2.4"]
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, "a", "1.2.4").array, chest.array[::-1])


def test_a_series_may_be_spread_over_folders(tmp_path: Path, chest: Volume):
    for k, file in enumerate(write_dicom(tmp_path / "a", chest)):
        (tmp_path / "b" / f"c{k % 3}").mkdir(parents=True, exist_ok=True)
        file.rename(tmp_path / "b" / f"c{k % 3}" / file.name)
    assert the_scan(tmp_path).path == "b"
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, "b", "1.2.3").array, chest.array)


@pytest.mark.parametrize(
    ("removed", "expected"), [("YES", True), ("NO", False), (lambda k: "YES" if k else "NO", False)]
)
def test_identity_is_removed_if_all_slices_say_so(tmp_path: Path, chest: Volume, removed, expected: bool):
    write_dicom(tmp_path, chest, PatientIdentityRemoved=removed)
    assert the_scan(tmp_path).deidentified is expected


def test_copies_of_a_file_count_once(tmp_path: Path, chest: Volume):
    files = write_dicom(tmp_path, chest)
    (tmp_path / "copy").write_bytes(files[3].read_bytes())
    assert the_scan(tmp_path).rejection is None
    assert dicom.read_volume(tmp_path, ".", "1.2.3").array.shape == chest.array.shape


def test_a_whole_copy_stands_in_for_a_truncated_one(tmp_path: Path, chest: Volume):
    files = write_dicom(tmp_path, chest)
    (tmp_path / "zzz").write_bytes(files[3].read_bytes())
    files[3].write_bytes(files[3].read_bytes()[:-100])
    assert the_scan(tmp_path).rejection is None
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array, chest.array)


def test_one_uid_for_all_slices_does_not_make_them_copies(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest, SOPInstanceUID="1.2.3.4")
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array, chest.array)


def test_localizers_and_captures_among_slices_are_left_out(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "scan", chest)
    extra = Volume(chest.array[:2], dataclass_shape(chest, 2))
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    write_dicom(tmp_path / "scout", extra, SOPInstanceUID=lambda k: generate_uid(), **scout)
    capture = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SOPInstanceUID": lambda k: generate_uid()}
    write_dicom(tmp_path / "capture", extra, ImagePositionPatient=None, **capture)
    scan = the_scan(tmp_path)
    assert scan.rejection is None
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, scan.path, "1.2.3").array, chest.array)


def dataclass_shape(chest: Volume, n_slices: int):
    return chest.geometry.crop((0, 0, 0), (n_slices, *chest.array.shape[1:]))


@pytest.mark.parametrize(
    "changes",
    [{"SOPClassUID": SEGMENTATION}, {"SOPClassUID": STRUCTURES}, {"Modality": "SEG"}, {"Modality": "RTSTRUCT"}],
)
def test_labels_are_no_scans(tmp_path: Path, chest: Volume, changes):
    write_dicom(tmp_path, Volume(chest.array[:1], dataclass_shape(chest, 1)), **changes)
    assert discover(tmp_path) == []


def test_a_table_of_contents_is_no_scan(tmp_path: Path):
    from pydicom.fileset import FileSet

    FileSet().write(tmp_path)
    assert (tmp_path / "DICOMDIR").stat().st_size
    assert discover(tmp_path) == []


def test_files_that_are_not_dicom_are_not_opened(tmp_path: Path):
    (tmp_path / "notes").write_text("no DICOM here")
    (tmp_path / "x.png").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert discover(tmp_path) == []


def test_damaged_files_are_told_by_folder_and_without_names(tmp_path: Path):
    (tmp_path / "Mueller Anna").mkdir()
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / "Mueller Anna" / name).write_bytes(bytes(128) + b"DICM" + b"Mueller^Anna" * 5)
    scan = the_scan(tmp_path)
    assert scan.rejection is not None
    assert (scan.rejection.code, scan.rejection.file) == ("unreadable", "Mueller Anna/a.dcm")
    assert "Mueller" not in scan.rejection.reason + scan.series_uid


def test_a_file_that_is_cut_short_after_intake_is_an_error(tmp_path: Path, chest: Volume):
    file = write_dicom(tmp_path, chest)[5]
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ScanReadError) as caught:
        dicom.read_volume(tmp_path, ".", "1.2.3")
    assert caught.value.code == "truncated_pixels"
    assert file.name not in caught.value.reason


def test_a_slice_that_moved_after_intake_is_an_error(tmp_path: Path, chest: Volume):
    scan_files = write_dicom(tmp_path / "a", chest)
    scan = the_scan(tmp_path)
    for file in scan_files[1:]:
        file.unlink()
    with pytest.raises(ScanReadError, match="one slice"):
        dicom.read_volume(tmp_path, scan.path, "1.2.3")


@pytest.mark.parametrize("path", [".", "nowhere", "x.zip", "x.zip/in"])
def test_a_series_that_is_gone_is_an_error(tmp_path: Path, path: str):
    with pytest.raises(ScanReadError, match="No slice"):
        dicom.read_volume(tmp_path, path, "1.2.3")


def test_workers_find_the_same(tmp_path: Path, chest: Volume, monkeypatch: pytest.MonkeyPatch):
    write_dicom(tmp_path, chest)
    monkeypatch.setattr(dicom, "FILES_A_JOB", 20)
    alone, together = (
        dicom.discover(tmp_path, all_files(tmp_path), IngestCTParams(gate=GateParams(), n_jobs=n_jobs))
        for n_jobs in (1, 2)
    )
    assert alone == together


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_a_real_series_reads_as_simpleitk_reads_it(shared_data: Path, patient: str):
    folder = shared_data / "lidc" / patient / "dicom"
    scan = the_scan(folder)
    assert scan.deidentified
    assert scan.manufacturer == "GE MEDICAL SYSTEMS"
    volume = dicom.read_volume(folder, scan.path, scan.series_uid)
    expected = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), scan.series_uid))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(volume.geometry.origin_xyz_mm, expected.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.geometry.spacing_zyx_mm, expected.GetSpacing()[::-1], atol=1e-4)


def test_series_without_a_patient_are_of_one_where_they_are_of_one_study(tmp_path: Path, chest: Volume):
    """On two sides of a split they would leak."""
    for uid, study in (("1.1", "1.9"), ("1.2", "1.9"), ("1.3", "")):
        write_dicom(tmp_path / uid, chest, uid, PatientID="", StudyInstanceUID=study)
    assert [scan.patient_id for scan in discover(tmp_path)] == ["1.9", "1.9", "1.3"]
