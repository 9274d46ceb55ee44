"""Every file and folder of ``awkward_dicom``: read right, or refused with the right code."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from medpipe.ct.params import GateParams
from medpipe.ct.readers import dicom
from tests.ct.readers.dicom_samples import LENIENT, discover, the_code, the_scan

SETS = ("pydicom", "fo-dicom", "transfer_syntaxes", "enhanced_multiframe")
"""Folders of files that have nothing to do with each other; the other folders are series."""

NO_DICOM = {"README.md", "LICENSE", "DATA_SOURCE.md"}

# fmt: off
FILE_CODES = {
    # What is no CT: radiotherapy plans and doses, MR, ultrasound, a report.
    "pydicom/ExplVR_BigEndNoMeta.dcm": "not_ct",
    "pydicom/ExplVR_LitEndNoMeta.dcm": "not_ct",
    "pydicom/MR_truncated.dcm": "not_ct",
    "pydicom/badVR.dcm": "not_ct",
    "pydicom/rtplan_truncated.dcm": "not_ct",
    "transfer_syntaxes/no-pixel-data.dcm": "not_ct",
    "transfer_syntaxes/no-pixel-spacing.dcm": "not_ct",
    "enhanced_multiframe/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm": "not_ct",
    "enhanced_multiframe/IM00001.implicit_little_endian.dcm": "not_ct",
    # A stray byte before the data set; an undefined length in the wrong byte order; no series uid.
    "pydicom/no_meta.dcm": "unreadable",
    "fo-dicom/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": "unreadable",
    "fo-dicom/GH340.dcm": "unreadable",
    # JPEG under a transfer syntax that says uncompressed.
    "fo-dicom/GH1376.dcm": "unreadable",
    "fo-dicom/GH178.dcm": "no_pixels",
}
# fmt: on
"""Every other file is a CT slice, or an enhanced CT of two."""

SERIES_CODES = {  # under the default gate, under a lenient one
    "gantry_tilt_ct4": ("too_few_slices", None),
    "ge_tilt18.5_varspacing": ("uneven_spacing", "uneven_spacing"),
    "missing_slice_ct": ("missing_slices", "missing_slices"),
    "missing_slice_ct2": ("missing_slices", "missing_slices"),
    "notavolume": ("single_position", "single_position"),
    "panimg_dicom_enhanced": ("too_few_slices", None),
    "panimg_dicom_intercept": ("too_few_slices", None),
    "panimg_dicom_slope": ("too_few_slices", None),
    "sliceorientation": ("not_ct", "not_ct"),
}


@pytest.fixture(scope="module")
def awkward(shared_data: Path) -> Path:
    return shared_data / "awkward_dicom"


def test_the_tables_know_every_folder(awkward: Path):
    folders = {folder.name for folder in awkward.iterdir()}
    assert folders == {*SETS, *SERIES_CODES, "panimg_dicom_4d"}
    assert all((awkward / name).is_file() for name in FILE_CODES)


def test_every_file_on_its_own(awkward: Path, tmp_path: Path):
    wrong = {}
    files = [file for name in SETS for file in sorted((awkward / name).iterdir())]
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / file.name).symlink_to(file)
        found = [scan.rejection.code if scan.rejection else None for scan in discover(folder)]
        name = file.relative_to(awkward).as_posix()
        is_enhanced = file.name.startswith("CT0012") or file.name == "eCT_Supplemental.dcm"
        expected = FILE_CODES.get(name, None if is_enhanced else "too_few_slices")
        if found != ([] if file.name in NO_DICOM else [expected]):
            wrong[name] = found
    assert not wrong
    assert len(files) == 51


@pytest.mark.parametrize(("name", "codes"), SERIES_CODES.items())
def test_every_series(awkward: Path, name: str, codes: tuple[str | None, str | None]):
    assert (the_code(awkward / name, GateParams()), the_code(awkward / name)) == codes


def test_tilt_is_that_of_the_image_plane(awkward: Path):
    """The table moved along the world's z axis, so the tilt is the angle of the image's column to the y axis."""
    folder = awkward / "gantry_tilt_ct4"
    header = pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True)
    angle = float(np.degrees(np.arccos(header.ImageOrientationPatient[4])))
    assert angle == pytest.approx(14.0, abs=0.01)
    scan = the_scan(folder, LENIENT.model_copy(update={"max_tilt_deg": angle - 0.1}))
    assert scan.rejection is not None
    assert scan.rejection.code == "gantry_tilt"
    assert the_code(folder, LENIENT.model_copy(update={"max_tilt_deg": angle + 0.1})) is None


def test_each_phase_of_a_perfusion_has_its_own_series(awkward: Path):
    scans = discover(awkward / "panimg_dicom_4d")
    assert len(scans) == 19
    assert all(scan.rejection is None and scan.geometry and scan.geometry.shape_zyx == (4, 2, 3) for scan in scans)


def test_a_multi_frame_capture_is_read_by_the_places_of_its_frames(awkward: Path, tmp_path: Path):
    """It holds the seven slices beside it, which are read without it."""
    (tmp_path / "volume").symlink_to(awkward / "panimg_dicom_enhanced" / "volume.dcm")
    scan = the_scan(tmp_path)
    volume = dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    slices = dicom.read_volume(awkward, "panimg_dicom_enhanced", scan.series_uid)
    assert volume.geometry == slices.geometry
    np.testing.assert_array_equal(volume.array, slices.array)


def test_a_multi_frame_capture_without_places_is_refused(awkward: Path, tmp_path: Path):
    data = pydicom.dcmread(awkward / "panimg_dicom_enhanced" / "volume.dcm")
    del data.PerFrameFunctionalGroupsSequence, data.SharedFunctionalGroupsSequence
    data.save_as(tmp_path / "volume")
    assert the_code(tmp_path) == "multi_frame"


def slices_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name not in NO_DICOM)


@pytest.mark.parametrize(
    "name", ["gantry_tilt_ct4", "panimg_dicom_enhanced", "panimg_dicom_intercept", "panimg_dicom_slope"]
)
def test_series_that_are_read_hold_what_pydicom_finds_in_them(awkward: Path, name: str):
    scan = the_scan(awkward / name)
    volume = dicom.read_volume(awkward / name, scan.path, scan.series_uid)
    data = [pydicom.dcmread(file) for file in slices_of(awkward / name)]
    data = sorted((one for one in data if "ImagePositionPatient" in one), key=lambda one: one.ImagePositionPatient[2])
    expected = [one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in data]
    np.testing.assert_array_equal(volume.array, np.rint(expected))
    firsts = volume.geometry.to_world([(k, 0, 0) for k in range(len(data))])
    np.testing.assert_allclose(firsts, [list(one.ImagePositionPatient) for one in data], atol=1e-3)
    spacing = volume.geometry.spacing_zyx_mm[1:]
    np.testing.assert_allclose(spacing, [float(value) for value in data[0].PixelSpacing])


def test_single_slices_hold_what_simpleitk_finds_in_them(awkward: Path):
    files = [file for name in SETS for file in slices_of(awkward / name)]
    read = 0
    for file in files:
        name = file.relative_to(awkward).as_posix()
        if name in FILE_CODES or file.name.startswith("CT0012") or file.name == "eCT_Supplemental.dcm":
            continue
        itk = sitk.GetArrayFromImage(sitk.ReadImage(str(file), sitk.sitkFloat64))[0]
        # the codestream of this one is lossy wavelets, and its decoders differ by rounding
        tolerance = 1 if file.name == "693_J2KI.dcm" else 0
        assert np.abs(dicom.read_slice(file) - np.rint(itk)).max() <= tolerance, name
        read += 1
    assert read == 24


def test_all_of_it_at_once(awkward: Path):
    scans = discover(awkward)
    assert len({scan.series_uid for scan in scans}) == len(scans)
    for scan in scans:
        assert (scan.geometry is None) == (scan.rejection is not None)
        if scan.rejection is None:
            assert dicom.read_volume(awkward, scan.path, scan.series_uid).geometry == scan.geometry
            assert dicom.read_samples(awkward, scan).shape[0] == 3
