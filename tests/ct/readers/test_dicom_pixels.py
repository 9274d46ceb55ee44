import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from medpipe.ct.readers import ScanReadError, dicom, dicom_decoding
from medpipe.ct.readers.dicom_pixels import codestream_size
from medpipe.ct.volume import Volume
from tests.ct.readers.dicom_samples import the_scan
from tests.ct.scans import write_dicom

LOSSY_HU = {".4.91": 5, ".4.81": 1, ".4.50": 65, ".4.51": 36, ".4.53": 36, ".4.55": 36}
"""Largest error of the lossy syntaxes, HU: a property of the files (SimpleITK finds the same ones). The three kinds of
12-bit JPEG store a value every 2 HU, 8-bit JPEG one every 32 HU."""

LOSSLESS = ("", ".1", ".2", ".1.99", ".4.57", ".4.70", ".4.80", ".4.90", ".5")


@pytest.fixture
def syntaxes(shared_data: Path) -> Path:
    return shared_data / "awkward_dicom" / "transfer_syntaxes"


def in_syntax(folder: Path, end: str) -> Path:
    (file,) = folder.glob(f"CTImage.dcm_*TransferSyntax_1.2.840.10008.1.2{end}.dcm")
    return file


@pytest.mark.parametrize("end", LOSSLESS)
def test_lossless_syntaxes_equal_the_plain_slice(syntaxes: Path, end: str):
    file = in_syntax(syntaxes, end)
    plain = pydicom.dcmread(syntaxes / "CTImage.dcm").pixel_array.astype(int) - 1024
    np.testing.assert_array_equal(dicom.read_slice(file), plain)


@pytest.mark.parametrize(("end", "tolerance"), LOSSY_HU.items())
def test_lossy_syntaxes_are_as_near_as_they_can_be(syntaxes: Path, end: str, tolerance: int):
    values = dicom.read_slice(in_syntax(syntaxes, end)).astype(int)
    plain = pydicom.dcmread(syntaxes / "CTImage.dcm").pixel_array.astype(int) - 1024
    assert np.abs(values - plain).max() <= tolerance
    itk = sitk.GetArrayFromImage(sitk.ReadImage(str(in_syntax(syntaxes, end)), sitk.sitkFloat64))[0]
    assert np.abs(values - itk).max() <= 0.5


def test_every_frame_of_every_syntax(shared_data: Path, tmp_path: Path):
    folder = shared_data / "awkward_dicom" / "enhanced_multiframe"
    plain = pydicom.dcmread(folder / "CT0012.explicit_little_endian.dcm").pixel_array.astype(int)[::-1] - 1024
    files = sorted(folder.glob("CT0012.*.dcm"))
    assert len(files) == 10
    for number, file in enumerate(files):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "scan").symlink_to(file)
        scan = the_scan(tmp_path / str(number))
        values = dicom.read_volume(tmp_path / str(number), scan.path, scan.series_uid).array.astype(int)
        if "jpeg_ls.81" in file.name:  # near-lossless, off by up to 2
            assert np.abs(values - plain).max() <= 2
        elif "baseline.51" in file.name:
            # the one who compressed this file added 1024 to the values and left the intercept as it was
            assert np.abs(values - 1024 - plain).max() <= 40
        else:
            np.testing.assert_array_equal(values, plain, err_msg=file.name)


def test_a_wrong_sign_in_jpeg_2000_is_set_right(shared_data: Path):
    file = shared_data / "awkward_dicom" / "pydicom" / "J2K_pixelrep_mismatch.dcm"
    values = dicom.read_slice(file)
    assert (values.min(), values.max()) == (-2000, 1896)
    np.testing.assert_array_equal(values, pydicom.dcmread(file).pixel_array)


def test_slope_and_intercept_are_those_of_each_slice(tmp_path: Path, chest: Volume):
    slopes, intercepts = (1.0, 0.5, 1.001, 2.0), (-1024.0, -512.25, 0.01, -30000.0)
    write_dicom(tmp_path, chest, RescaleSlope=lambda k: slopes[k % 4], RescaleIntercept=lambda k: intercepts[k % 4])
    stored = chest.array.astype(float) + 1024
    slope = np.array([slopes[k % 4] for k in range(len(stored))])[:, None, None]
    intercept = np.array([intercepts[k % 4] for k in range(len(stored))])[:, None, None]
    expected = np.clip(np.rint(stored * slope + intercept), -32768, 32767)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array, expected)


def test_real_slices_with_their_own_slope_or_intercept(shared_data: Path, tmp_path: Path):
    """Pixels of panimg's slices are all 0, so they get others here."""
    for name, expected in (("slope", [1000, 1001]), ("intercept", [1000, 1000])):
        folder = tmp_path / name
        folder.mkdir()
        for file in (shared_data / "awkward_dicom" / f"panimg_dicom_{name}").glob("*.dcm"):
            data = pydicom.dcmread(file)
            data.PixelData = np.full((2, 3), 1000, dtype="<i2").tobytes()
            data.save_as(folder / file.name)
        scan = the_scan(folder)
        assert dicom.read_volume(folder, ".", scan.series_uid).array[:, 0, 0].tolist() == expected


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_layout_of_plain_values(tmp_path: Path, chest: Volume, signed: bool, bits: int, syntax: str | None):
    kind = f"{'i' if signed else 'u'}{bits // 8}"
    info = np.iinfo(kind)
    values = np.random.default_rng(0).integers(max(info.min, -30000), min(info.max, 30000), chest.array.shape[1:])
    layout = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed)}
    plain = values.astype(f"<{kind}").tobytes()
    for file in write_dicom(tmp_path, chest, PixelData=plain, RescaleIntercept=0, **layout):
        if syntax:
            data = pydicom.dcmread(file)
            data.file_meta.TransferSyntaxUID = syntax
            if syntax == ExplicitVRBigEndian:
                data.PixelData = _big_endian(values, kind)
            pydicom.dcmwrite(
                file, data, little_endian=syntax != ExplicitVRBigEndian, implicit_vr=".1.2.2" not in syntax
            )
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array[5], values)


def _big_endian(values: np.ndarray, kind: str) -> bytes:
    if kind.endswith("1"):  # bytes lie in words, so they are swapped in pairs (PS3.5 8.1.1)
        return values.astype(kind).view("<u2").byteswap().tobytes()
    return values.astype(f">{kind}").tobytes()


@pytest.mark.parametrize("signed", [False, True])
def test_unused_bits_are_no_part_of_the_value(tmp_path: Path, chest: Volume, signed: bool):
    """Twelve bits of a value with an overlay in the upper four, as old scanners wrote it (PS3.5 8.1.1)."""
    values = np.random.default_rng(0).integers(-2048 if signed else 0, 2048 if signed else 4096, chest.array.shape[1:])
    words = (values & 0x0FFF) | 0xA000
    layout = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(signed), "RescaleIntercept": 0}
    write_dicom(tmp_path, chest, PixelData=words.astype("<u2").tobytes(), **layout)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array[3], values)


@pytest.mark.parametrize(
    ("signed", "stored", "padding", "hounsfield"),
    [
        (0, 63536, 63536, -1024),  # GE's -2000 taken for unsigned: would be 32767 HU, brighter than any metal
        (0, 0, 0, -1024),
        (1, -2000, 63536, -3024),  # below air it harms no one, and stays as SimpleITK reads it
        (1, 30000, 30000, -1024),
        (1, 30000, 5, 28976),
    ],
)
def test_padding_does_not_pass_for_metal(tmp_path: Path, chest: Volume, signed, stored, padding, hounsfield):
    values = np.full(chest.array.shape[1:], 1000, dtype=np.int64)
    values[:5] = stored
    plain = (values & 0xFFFF).astype("<u2").tobytes()
    files = write_dicom(tmp_path, chest, PixelData=plain, PixelRepresentation=signed)
    for file in files:
        data = pydicom.dcmread(file)
        data.add_new(0x00280120, "US", padding)
        data.save_as(file)
    array = dicom.read_volume(tmp_path, ".", "1.2.3").array[3]
    assert np.unique(array[:5]).tolist() == [hounsfield]
    assert np.unique(array[5:]).tolist() == [-24]


def test_a_data_set_without_meta_information_is_read(tmp_path: Path, chest: Volume):
    for file in write_dicom(tmp_path, chest):
        data = pydicom.dcmread(file)
        data.file_meta, data.preamble = FileMetaDataset(), None
        pydicom.dcmwrite(file, data, implicit_vr=False, little_endian=True, enforce_file_format=False)
    np.testing.assert_array_equal(dicom.read_volume(tmp_path, ".", "1.2.3").array, chest.array)


def test_a_codestream_of_another_size_is_not_decoded(tmp_path: Path, shared_data: Path):
    file = shared_data / "awkward_dicom" / "pydicom" / "693_J2KR.dcm"
    data = pydicom.dcmread(file)
    at = data.PixelData.index(b"\xff\x4f\xff\x51")
    data.PixelData = data.PixelData[: at + 8] + struct.pack(">II", 60000, 60000) + data.PixelData[at + 16 :]
    data.save_as(tmp_path / "x")
    with pytest.raises(ScanReadError, match="60000 x 60000"):
        dicom.read_slice(tmp_path / "x")


@pytest.mark.parametrize("end", [".4.57", ".4.70", ".4.80", ".4.90", *LOSSY_HU])
def test_the_size_is_found_in_every_codestream(syntaxes: Path, end: str):
    data = pydicom.dcmread(in_syntax(syntaxes, end))
    assert codestream_size(next(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=1))) == (512, 512)


def test_a_decoder_that_fails_is_started_anew(syntaxes: Path):
    file = in_syntax(syntaxes, ".4.70")
    expected = dicom.read_slice(file)
    decoder = dicom_decoding.decoder()
    assert decoder._process is not None
    decoder._process.kill()
    decoder._process.wait()
    with pytest.raises(ScanReadError, match="decoder failed"):
        dicom.read_slice(file)
    np.testing.assert_array_equal(dicom.read_slice(file), expected)


def test_a_decoder_that_is_stuck_is_stopped(syntaxes: Path, monkeypatch: pytest.MonkeyPatch):
    dicom_decoding.decoder().close()
    monkeypatch.setattr(dicom_decoding, "MAX_DECODING_S", 0.001)  # shorter than its start
    with pytest.raises(ScanReadError, match="decoder failed"):
        dicom.read_slice(in_syntax(syntaxes, ".4.70"))
