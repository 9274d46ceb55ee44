from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from medpipe.ct.readers import dicom
from tests.ct.readers.dicom_samples import FRAMES, LENIENT, SIDE, enhanced, item, the_code, the_scan


@pytest.fixture
def small(shared_data: Path) -> Path:
    return shared_data / "awkward_dicom" / "pydicom" / "CT_small.dcm"


def expected(small: Path) -> np.ndarray:
    """Frame k holds the slice + k stored with intercept -1024 + k, and lies k steps below the first."""
    corner = pydicom.dcmread(small).pixel_array[:SIDE, :SIDE].astype(int) - 1024
    return np.stack([corner + 2 * k for k in reversed(range(FRAMES))])


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_frames_are_slices(tmp_path: Path, small: Path, syntax: str | None):
    enhanced(small, syntax).save_as(tmp_path / "scan")
    scan = the_scan(tmp_path)
    assert scan.geometry is not None
    assert scan.geometry.shape_zyx == (FRAMES, SIDE, SIDE)
    assert scan.geometry.spacing_zyx_mm == (2.5, 0.7, 0.7)
    assert scan.geometry.origin_xyz_mm == (0, 0, 100 - 2.5 * (FRAMES - 1))
    volume = dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    assert volume.geometry == scan.geometry
    np.testing.assert_array_equal(volume.array, expected(small))
    assert scan.samples == ("scan#frame=2", "scan#frame=1", "scan#frame=1")
    np.testing.assert_array_equal(dicom.read_samples(tmp_path, scan), volume.array[[1, 2, 2]])
    assert {dicom.sample_file(sample) for sample in scan.samples} == {"scan"}


def test_real_frames_lie_where_highdicom_puts_them(shared_data: Path, tmp_path: Path):
    file = shared_data / "awkward_dicom" / "pydicom" / "eCT_Supplemental.dcm"
    (tmp_path / "scan").symlink_to(file)
    scan = the_scan(tmp_path)
    volume = dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    expected = highdicom.imread(file).get_volume(apply_modality_transform=True)
    np.testing.assert_array_equal(volume.array[::-1], expected.array)  # highdicom goes against the normal here
    corners = np.array([(k, j, i) for k in (0, 1) for j in (0, 511) for i in (0, 511)])
    world = corners @ expected.affine[:3, :3].T + expected.affine[:3, 3]
    np.testing.assert_allclose(volume.geometry.to_world(corners * [-1, 1, 1] + [1, 0, 0]), world, atol=1e-6)


def test_what_all_frames_share_may_be_with_each_and_the_other_way_round(tmp_path: Path, small: Path):
    data = enhanced(small)
    (shared,) = data.SharedFunctionalGroupsSequence
    for own in data.PerFrameFunctionalGroupsSequence:
        own.PlaneOrientationSequence = shared.PlaneOrientationSequence
        own.PixelMeasuresSequence = shared.PixelMeasuresSequence
        del own.PixelValueTransformationSequence
    del shared.PlaneOrientationSequence, shared.PixelMeasuresSequence
    shared.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=-1000, RescaleType="HU")]
    shared.CTReconstructionSequence = [item(ConvolutionKernel="B30f")]
    data.pop("ConvolutionKernel", None)
    data.save_as(tmp_path / "scan")
    scan = the_scan(tmp_path)
    assert scan.kernel == "B30f"
    stored = pydicom.dcmread(tmp_path / "scan").pixel_array[::-1].astype(int)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", scan.series_uid).array, stored * 2 - 1000)


def test_a_phase_is_chosen_by_frame(tmp_path: Path, small: Path):
    data = enhanced(small)
    for k, own in enumerate(data.PerFrameFunctionalGroupsSequence):
        own.PlanePositionSequence = [item(ImagePositionPatient=[0, 0, 2.5 * (k // 2)])]
        own.FrameContentSequence = [item(TemporalPositionIndex=1 + k % 2)]
    data.save_as(tmp_path / "scan")
    assert the_code(tmp_path) == "four_dimensional"
    scan = the_scan(tmp_path, LENIENT.model_copy(update={"phase": 1}))
    volume = dicom.read_volume(tmp_path, scan.path, scan.series_uid)
    np.testing.assert_array_equal(volume.array, expected(small)[::-1][1::2])


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: data.PerFrameFunctionalGroupsSequence.pop(), "multi_frame"),
        (lambda data: data.__delattr__("PerFrameFunctionalGroupsSequence"), "multi_frame"),
        (lambda data: data.__setattr__("NumberOfFrames", 2_000_000_000), "truncated_pixels"),
        (lambda data: data.PerFrameFunctionalGroupsSequence[1].__delattr__("PlanePositionSequence"), "multi_frame"),
        (lambda data: data.SharedFunctionalGroupsSequence[0].__delattr__("PixelMeasuresSequence"), "no_position"),
        (lambda data: data.__setattr__("PixelData", data.PixelData[:-2]), "truncated_pixels"),
    ],
    ids=["one_group_less", "no_groups", "absurd_count", "one_place_less", "no_spacing", "truncated"],
)
def test_frames_that_are_not_described_are_refused(tmp_path: Path, small: Path, damage, code: str):
    data = enhanced(small)
    damage(data)
    data.save_as(tmp_path / "scan")
    assert the_code(tmp_path) == code
