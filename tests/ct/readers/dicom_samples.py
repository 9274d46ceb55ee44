"""Small DICOM files of many kinds, made from real ones, and ways to damage them."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers import ScanRef, dicom
from medpipe.ct.readers.dicom_headers import FILE_TAGS

FRAMES = 4
SIDE = 32
# fmt: off
ODD_VALUES = (
    b"", b" ", b"\\", bytes(4), b"-1", b"0", b"1", b"nan ", b"inf ", b"1e999 ", b"-1e300\\1e300\\1 ", b"1\\2 ", b"1.5 ",
    b"1\\0\\0\\0\\1\\0 ", b"99999999999999999999", b"\xff\xff", b"\xff" * 4, b"\xff" * 8, b"\x00\x80", b"\x01\x00",
    b"Caf\xe9", b"LOCALIZER ", b"A\\B\\LOCALIZER ", b"CT", b"YES ", b"x" * 300, b"1.2.840.10008.5.1.4.1.1.7\0",
    b"20061219111154.812+0100 ",
)
# fmt: on
LENIENT = GateParams(min_slices=2, min_extent_mm=0, max_slice_spacing_mm=20)


def all_files(folder: Path) -> list[Path]:
    """What intake hands to a reader."""
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def discover(folder: Path, gate: GateParams = LENIENT) -> list[ScanRef]:
    """The DICOM series below a folder."""
    return dicom.discover(folder, all_files(folder), IngestCTParams(gate=gate, n_jobs=1))


def the_scan(folder: Path, gate: GateParams = LENIENT) -> ScanRef:
    """The only one."""
    (scan,) = discover(folder, gate)
    return scan


def the_code(folder: Path, gate: GateParams = LENIENT) -> str | None:
    """Code of its rejection; None where it is accepted."""
    scan = the_scan(folder, gate)
    return scan.rejection.code if scan.rejection else None


def sources(awkward: Path) -> dict[str, bytes]:
    """Bytes of small files: plain, compressed in five ways, deflated, multi-frame plain and compressed.

    Args:
        awkward: The folder ``awkward_dicom`` of the shared data.
    """
    small = awkward / "pydicom" / "CT_small.dcm"
    return {
        "plain": small.read_bytes(),
        "tiny": (awkward / "panimg_dicom_slope" / "2.dcm").read_bytes(),
        "j2k": (awkward / "pydicom" / "693_J2KI.dcm").read_bytes(),
        "deflated": _bytes_of(_cropped(small), DeflatedExplicitVRLittleEndian),
        "rle": compressed(small, RLELossless),
        "jpeg_ls": compressed(small, JPEGLSLossless),
        "jpeg_lossless": compressed(small, JPEGLosslessSV1),
        "j2k_lossless": compressed(small, JPEG2000Lossless),
        "enhanced": _bytes_of(enhanced(small)),
        "enhanced_rle": _bytes_of(enhanced(small, RLELossless)),
    }


def _cropped(file: Path) -> pydicom.FileDataset:
    data = pydicom.dcmread(file)
    pixels = data.pixel_array[:SIDE, :SIDE]
    data.Rows = data.Columns = SIDE
    data.PixelData = pixels.tobytes()
    return data


def _bytes_of(data: Any, syntax: str | None = None) -> bytes:
    if syntax is not None:
        data.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    pydicom.dcmwrite(stream, data, enforce_file_format=True)
    return stream.getvalue()


def compressed(file: Path, syntax: str) -> bytes:
    """The upper left corner of a slice, compressed: by pydicom where it can, else by GDCM."""
    data = _cropped(file)
    if syntax in (RLELossless, JPEGLSLossless):
        data.compress(syntax, generate_instance_uid=False)
        return _bytes_of(data)
    return _transcoded_by_gdcm(_bytes_of(data), syntax)


def _transcoded_by_gdcm(plain: bytes, syntax: str) -> bytes:
    import gdcm

    with TemporaryDirectory() as folder:
        source, target = Path(folder, "plain"), Path(folder, "compressed")
        source.write_bytes(plain)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(source))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


def enhanced(file: Path, syntax: str | None = None) -> pydicom.FileDataset:
    """An enhanced multi-frame file of `FRAMES` frames, 2.5 mm apart in falling order, each with its own intercept."""
    data = _cropped(file)
    corner = data.pixel_array
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = EnhancedCTImageStorage
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [item(PixelSpacing=[0.7, 0.7], SliceThickness=5)]
    data.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for k in range(FRAMES):
        own = Dataset()
        own.PlanePositionSequence = [item(ImagePositionPatient=[0, 0, 100 - 2.5 * k])]
        own.PixelValueTransformationSequence = [item(RescaleSlope=1, RescaleIntercept=-1024 + k, RescaleType="HU")]
        own.FrameContentSequence = [item(FrameAcquisitionNumber=1)]
        frames.append(own)
    data.PerFrameFunctionalGroupsSequence = frames
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(data, name)
    data.NumberOfFrames = FRAMES
    data.PixelData = np.stack([corner + k for k in range(FRAMES)]).astype(corner.dtype).tobytes()
    if syntax:
        data.compress(syntax, generate_instance_uid=False)
    return data


def item(**values: Any) -> Dataset:
    """An item of a sequence."""
    data = Dataset()
    for name, value in values.items():
        setattr(data, name, value)
    return data


def odd_values(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes of a file in which one to four of the elements that readers look at hold something odd."""
    header = pydicom.dcmread(BytesIO(data))
    looked_at = [Tag(tag) for tag in FILE_TAGS]
    places = [(header, tag) for tag in looked_at]
    places += [(element_item, element.tag) for element_item in _items(header) for element in element_item]
    for at in rng.integers(0, len(places), rng.integers(1, 5)):
        owner, tag = places[at]
        value = ODD_VALUES[rng.integers(len(ODD_VALUES))]
        vr = dictionary_VR(tag).split()[0]
        owner[tag] = RawDataElement(tag, vr if vr != "SQ" else "UN", len(value), value, 0, False, True)
    stream = BytesIO()
    pydicom.dcmwrite(stream, header)
    return stream.getvalue()


def _items(data: Dataset) -> Iterator[Dataset]:
    for element in data:
        if element.VR == "SQ":
            for one in element.value:
                yield one
                yield from _items(one)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with some flipped, cut out, cut off or put in."""
    result = bytearray(data)
    # half of the damage goes to the header, which is a small part of most files
    limit = min(len(result), 2500) if rng.random() < 0.5 else len(result)
    match rng.integers(5):
        case 0 | 1:
            for at in rng.integers(0, limit, rng.integers(1, 12)):
                result[at] = rng.integers(256)
        case 2:
            del result[rng.integers(0, limit) :]
        case 3:
            at = rng.integers(0, limit)
            del result[at : at + rng.integers(1, 64)]
        case _:
            at = rng.integers(0, limit)
            result[at:at] = rng.integers(0, 256, rng.integers(1, 64), dtype=np.uint8).tobytes()
    return bytes(result)
