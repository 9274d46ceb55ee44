from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medpipe.ct.params import GateParams
from medpipe.ct.readers import ScanReadError, dicom
from medpipe.ct.volume import Volume
from tests.ct.scans import write_dicom

LOOSE = GateParams(min_slices=2)


def discover(folder: Path, params: GateParams = LOOSE):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return dicom.discover(folder, files, params, n_jobs=1)


def the_code(folder: Path) -> str | None:
    (scan,) = discover(folder)
    return scan.rejection.code if scan.rejection else None


def test_a_series_comes_back_as_it_was_written(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "a" / "b", chest, "1.2.3", ConvolutionKernel="LUNG")
    (scan,) = discover(tmp_path)
    assert (scan.series_uid, scan.patient_id, scan.path, scan.kernel) == ("1.2.3", "patient", "a/b", "LUNG")
    volume = dicom.read_volume(tmp_path / scan.path, "1.2.3")
    np.testing.assert_array_equal(volume.array, chest.array)
    assert volume.geometry == scan.geometry
    np.testing.assert_allclose(volume.geometry.origin_xyz_mm, chest.geometry.origin_xyz_mm, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing_zyx_mm, chest.geometry.spacing_zyx_mm, atol=1e-6)


def test_series_are_told_apart_within_one_folder(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "a", chest, "1.2.3")
    for file in write_dicom(tmp_path / "b", Volume(chest.array[::-1], chest.geometry), "1.2.4"):
        file.rename(tmp_path / "a" / f"other{file.name}")
    assert [scan.series_uid for scan in discover(tmp_path)] == ["1.2.3", "1.2.4"]
    np.testing.assert_array_equal(dicom.read_volume(tmp_path / "a", "1.2.4").array, chest.array[::-1])


def test_slope_and_intercept_are_those_of_each_slice(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest, RescaleIntercept=lambda k: -1024 + k)
    volume = dicom.read_volume(tmp_path, "1.2.3")
    np.testing.assert_array_equal(volume.array, chest.array + np.arange(len(chest.array))[:, None, None])


def test_a_broken_slope_is_rounded(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest, RescaleSlope=0.5, RescaleIntercept=-512.25)
    expected = np.rint((chest.array.astype(float) + 1024) * 0.5 - 512.25)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, "1.2.3").array, expected)


def test_copies_of_a_file_count_once(tmp_path: Path, chest: Volume):
    files = write_dicom(tmp_path, chest)
    (tmp_path / "copy").write_bytes(files[3].read_bytes())
    assert the_code(tmp_path) is None
    assert dicom.read_volume(tmp_path, "1.2.3").array.shape == chest.array.shape


def position(chest: Volume, k: float, x: float = 0.0, y: float = 0.0) -> list[float]:
    place = chest.geometry.to_world([(k, 0, 0)])[0] + [x, y, 0]
    return [round(float(value), 6) for value in place]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "MR"}, "not_ct"),
        ({"NumberOfFrames": 2}, "multi_frame"),
        ({"SamplesPerPixel": 3}, "not_ct"),
        ({"ImageOrientationPatient": lambda k: [1, 0, 0, 0, 1, 0] if k else [0, 1, 0, 0, 0, -1]}, "mixed_orientation"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 1, 0]}, "no_position"),
        ({"PixelSpacing": lambda k: [4.0, 4.0] if k else [4.1, 4.1]}, "mixed_spacing"),
        ({"PixelSpacing": [0, 0]}, "no_position"),
    ],
)
def test_attributes_that_are_wrong_have_their_code(tmp_path: Path, chest: Volume, changes, code: str):
    write_dicom(tmp_path, chest, **changes)
    assert the_code(tmp_path) == code


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (lambda k: (k // 2, 0, 0), "duplicate_positions"),
        (lambda k: (k if k < 9 else k + 2, 0, 0), "missing_slices"),
        (lambda k: (k if k < 9 else k + 0.4, 0, 0), "uneven_spacing"),
        (lambda k: (k, 0, k * 0.5), "gantry_tilt"),
        (lambda k: (k + 0.01 * (k % 2), 0, 0), None),
    ],
)
def test_positions_that_are_wrong_have_their_code(tmp_path: Path, chest: Volume, place, code: str | None):
    write_dicom(tmp_path, chest, ImagePositionPatient=lambda k: position(chest, *place(k)))
    assert the_code(tmp_path) == code


def test_slices_of_different_size(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "a", chest)
    small = Volume(chest.array[:1, :32], replace(chest.geometry, shape_zyx=(1, 32, 80)))
    write_dicom(tmp_path / "b", small, SOPInstanceUID="1.2.3.999", ImagePositionPatient=position(chest, -1))
    assert the_code(tmp_path) == "mixed_size"


def test_too_few_slices(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest)
    (scan,) = discover(tmp_path, GateParams(min_slices=100))
    assert scan.rejection is not None
    assert scan.rejection.reason == "44 slices, at least 100 expected."


def test_a_file_that_is_cut_short_is_an_error_with_its_name(tmp_path: Path, chest: Volume):
    file = write_dicom(tmp_path, chest)[5]
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ScanReadError, match=file.name):
        dicom.read_volume(tmp_path, "1.2.3")


def test_a_series_that_is_gone_is_an_error(tmp_path: Path):
    with pytest.raises(ScanReadError, match="No slice"):
        dicom.read_volume(tmp_path, "1.2.3")


def test_findings_take_their_columns_from_the_table(tmp_path: Path):
    file = tmp_path / "findings.csv"
    file.write_text("series_uid,x_mm,y_mm,z_mm,kind,diameter_mm,extra\n1.2,1,2,3,nodule,8,x\n")
    (row,) = dicom.findings([file]).to_dict("records")
    assert (row["series_uid"], row["x_mm"], row["diameter_mm"], row["kind"]) == ("1.2", 1, 8, "nodule")


def test_compressed_slices_equal_the_uncompressed_one(shared_data: Path):
    folder = shared_data / "awkward_dicom" / "transfer_syntaxes"
    plain = dicom.read_slice(folder / "CTImage.dcm")
    lossless = [file for file in folder.glob("CTImage.dcm_*") if "Lossless" in file.name]
    assert len(lossless) >= 3
    for file in lossless:
        np.testing.assert_array_equal(dicom.read_slice(file), plain, err_msg=file.name)


def test_no_awkward_file_stops_intake(shared_data: Path):
    scans = discover(shared_data / "awkward_dicom", GateParams(min_slices=3))
    code_of = {scan.path: scan.rejection.code if scan.rejection else None for scan in scans}
    assert code_of["ge_tilt18.5_varspacing"] == "uneven_spacing"
    assert code_of["missing_slice_ct"] == "missing_slices"
    assert code_of["notavolume"] == "duplicate_positions"
    assert code_of["sliceorientation"] == "not_ct"
    assert "multi_frame" in {scan.rejection.code for scan in scans if scan.rejection}


@pytest.mark.parametrize("patient", ["LIDC-IDRI-0001", "LIDC-IDRI-0063"])
def test_a_real_series_reads_as_simpleitk_reads_it(shared_data: Path, patient: str):
    folder = shared_data / "lidc" / patient / "dicom"
    (scan,) = discover(folder)
    volume = dicom.read_volume(folder, scan.series_uid)
    expected = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), scan.series_uid))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(volume.geometry.origin_xyz_mm, expected.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.geometry.spacing_zyx_mm, expected.GetSpacing()[::-1], atol=1e-4)
