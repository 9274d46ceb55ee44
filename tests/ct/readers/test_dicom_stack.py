from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medpipe.ct.params import GateParams
from medpipe.ct.readers import ScanReadError, dicom
from medpipe.ct.volume import Volume
from tests.ct.readers.dicom_samples import LENIENT, the_code, the_scan
from tests.ct.scans import write_dicom


def position(chest: Volume, k: float, x: float = 0.0, y: float = 0.0) -> list[float]:
    place = chest.geometry.to_world([(k, 0, 0)])[0] + [x, y, 0]
    return [round(float(value), 6) for value in place]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "MR"}, "not_ct"),
        ({"Modality": lambda k: "CT" if k else "PT"}, "not_ct"),
        ({"SamplesPerPixel": 3}, "not_ct"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "not_ct"),
        ({"BurnedInAnnotation": lambda k: "YES" if k == 5 else "NO"}, "burned_in_text"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"PixelData": b""}, "no_pixels"),
        ({"Rows": 0}, "no_pixels"),
        ({"BitsAllocated": 12}, "unreadable"),
        ({"BitsStored": 17}, "unreadable"),
        ({"Rows": 65535, "Columns": 65535}, "unreadable"),
        ({"Rows": 65}, "truncated_pixels"),
        ({"NumberOfFrames": 2, "Rows": 32, "ImagePositionPatient": None}, "multi_frame"),
        ({"ImagePositionPatient": None}, "no_position"),
        ({"ImagePositionPatient": lambda k: [0, 0] if k == 7 else [0, 0, k]}, "no_position"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 1, 0]}, "no_position"),
        ({"PixelSpacing": [0, 0]}, "no_position"),
        ({"PixelSpacing": ["1e-300", "1e300"]}, "no_position"),
        ({"ImageOrientationPatient": lambda k: [1, 0, 0, 0, 1, 0] if k else [0, 1, 0, 0, 0, -1]}, "mixed_orientation"),
        ({"PixelSpacing": lambda k: [4.0, 4.0] if k else [4.1, 4.1]}, "mixed_spacing"),
        ({"RescaleSlope": 0}, "absurd_hu"),
        ({"RescaleIntercept": lambda k: "1e300" if k == 3 else 0}, "absurd_hu"),
        ({"PatientID": lambda k: "one" if k else "other"}, "mixed_patients"),
    ],
)
def test_attributes_that_are_wrong_have_their_code(tmp_path: Path, chest: Volume, changes, code: str):
    write_dicom(tmp_path, chest, **changes)
    scan = the_scan(tmp_path)
    assert scan.rejection is not None
    assert scan.rejection.code == code
    with pytest.raises(ScanReadError) as caught:
        dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (lambda k: (0, 0, 0), "single_position"),
        (lambda k: (k // 2, 0, 0), "four_dimensional"),
        (lambda k: (k if k < 30 else k - 1, 0, 0), "duplicate_positions"),
        (lambda k: (k if k < 9 else k + 2, 0, 0), "missing_slices"),
        (lambda k: (k if k < 9 else k + 0.4, 0, 0), "uneven_spacing"),
        (lambda k: (k, 5.0 * (k == 20), 0), "uneven_spacing"),
        (lambda k: (k, 0, k * 2.0), "gantry_tilt"),  # 33.7 degrees
        (lambda k: (k, 0, k * 0.5), None),  # 9.5 degrees
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


def test_the_number_of_slices_is_asked_last(tmp_path: Path, chest: Volume):
    files = write_dicom(tmp_path, chest)
    scan = the_scan(tmp_path, GateParams(min_slices=100))
    assert scan.rejection is not None
    assert scan.rejection.reason == "44 slices are there, at least 100 expected."
    for file in (files[3], *files[5:]):
        file.unlink()
    assert the_code(tmp_path, GateParams(min_slices=100)) == "missing_slices"


def test_one_slice_is_no_scan(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, Volume(chest.array[:1], replace(chest.geometry, shape_zyx=(1, 64, 80))))
    assert the_code(tmp_path) == "too_few_slices"


def test_a_tilted_stack_keeps_the_true_place_of_every_voxel(tmp_path: Path, chest: Volume):
    places = np.array([position(chest, k, y=0.8 * k) for k in range(len(chest.array))])
    write_dicom(tmp_path, chest, ImagePositionPatient=lambda k: list(places[k]))
    volume = dicom.read_volume(tmp_path, ".", "1.2.3")
    geometry = volume.geometry
    assert not geometry.is_orthogonal
    assert geometry.spacing_zyx_mm[0] == pytest.approx(np.hypot(3.0, 0.8))
    firsts = geometry.to_world([(k, 0, 0) for k in range(len(places))])
    np.testing.assert_allclose(firsts, places, atol=1e-6)
    np.testing.assert_array_equal(volume.array, chest.array)
    assert geometry.voxel_mm3 == pytest.approx(chest.geometry.voxel_mm3)


def test_tilt_can_be_refused(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest, ImagePositionPatient=lambda k: position(chest, k, y=0.1 * k))
    assert the_code(tmp_path) is None
    assert the_code(tmp_path, LENIENT.model_copy(update={"max_tilt_deg": 0.0})) == "gantry_tilt"


def test_rounded_positions_are_no_tilt(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path, chest, ImagePositionPatient=lambda k: position(chest, k, y=0.002 * k))
    scan = the_scan(tmp_path, LENIENT.model_copy(update={"max_tilt_deg": 0.0}))
    assert scan.geometry is not None
    assert scan.geometry.direction == chest.geometry.direction


@pytest.mark.filterwarnings("ignore:.*for VR CS")
def test_the_reason_names_no_one(tmp_path: Path, chest: Volume):
    write_dicom(tmp_path / "Mueller", chest, Modality="Mueller^Anna")
    scan = the_scan(tmp_path)
    assert scan.rejection is not None
    assert "Mueller" not in scan.rejection.reason
    assert str(scan.rejection.file).startswith("Mueller/")
