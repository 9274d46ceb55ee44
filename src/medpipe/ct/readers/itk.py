"""Image files that ITK reads: what the readers of MetaImage, NIfTI and NRRD have in common.

ITK takes every format to LPS world coordinates. It is only asked about files whose header was found sane by
`medpipe.ct.readers.image_headers`, with the one reader that fits the ending: it never guesses the format.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.readers import image_headers
from medpipe.ct.readers.base import Rejection, ScanReadError, ScanRef
from medpipe.ct.readers.image_headers import Declared
from medpipe.ct.readers.image_voxels import stored_voxels
from medpipe.ct.volume import Volume

SAMPLED_AT = (0.3, 0.5, 0.7)
"""Where an uncompressed scan is looked into at intake, as fractions of its length; of others the middle slice."""

MAX_SPACING_MM = 100.0
"""Widest distance of voxels that is believed; the gate has the limit for use."""

MAX_ORIGIN_MM = 1e6
"""Farthest place in the world that is believed: a kilometre from the scanner."""

AXIS_TOLERANCE = 1e-2
"""Largest departure of an axis' length from 1; written direction cosines have few digits."""

MIN_DETERMINANT = 0.1
"""Smallest volume that three unit axes span; a grid of a CT leans by far less than that stands for."""

SAME_PLACE_MM = 0.1
"""Farthest that a corner of the volume may lie from where it is told to be, by the rounding of a header's numbers."""

_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True)
class _Format:
    io: str
    declared: Callable[[Path], Declared]


_META = _Format("MetaImageIO", image_headers.metaimage)
_NRRD = _Format("NrrdImageIO", image_headers.nrrd)
_NIFTI = _Format("NiftiImageIO", image_headers.nifti)
_FORMATS = {
    ".mhd": _META, ".mha": _META, ".nrrd": _NRRD, ".nhdr": _NRRD, ".nii": _NIFTI, ".nii.gz": _NIFTI,
}  # fmt: skip
IMAGE_SUFFIXES = frozenset(_FORMATS)
"""Endings of the files that are read here."""


def split_name(file: Path) -> tuple[str, str]:
    """A file's name without its ending, and the ending in small letters, ``.nii.gz`` being one."""
    for suffix in (".nii.gz", file.suffix):
        if suffix and file.name.lower().endswith(suffix.lower()):
            return file.name[: -len(suffix)], suffix.lower()
    return file.name, ""


def found_scan(raw: Path, file: Path, series_uid: str, patient_id: str, source: str) -> ScanRef:
    """An image file as a scan, with its geometry or the reason why it cannot be read."""
    path = file.relative_to(raw).as_posix()
    try:
        geometry = read_geometry(file)
    except ScanReadError as error:
        rejection = Rejection(error.code, error.reason, path)
        return ScanRef(series_uid, patient_id, source, path, rejection=rejection)
    return ScanRef(series_uid, patient_id, source, path, geometry)


def content(file: Path) -> list[Path]:
    """The header's file and, where it is another, that of the voxels."""
    try:
        data = _declared(file).data
    except ScanReadError:
        return [file]
    return [file] if data == file or not data.is_file() else [file, data]


def read_geometry(file: Path) -> Geometry:
    """The grid of an image file, from its header and the sizes of its files alone.

    Raises:
        ScanReadError: If it is no volume of single numbers, or its voxels cannot be where they should.
    """
    return _geometry(file, _opened(file))


def read_volume(file: Path) -> Volume:
    """The voxels of a scan as they lie in the file, rounded and clipped to int16.

    Raises:
        ScanReadError: If they cannot be read.
    """
    reader = _opened(file)
    geometry = _geometry(file, reader)
    return Volume(as_int16(_voxels(file, reader)), geometry)


def read_samples(file: Path) -> NDArray[np.int16]:
    """A few slices, int16 (slices, rows, columns), without the others where the format allows it.

    Raises:
        ScanReadError: If one cannot be read.
    """
    places = (0.5,) if _declared(file).compressed else SAMPLED_AT
    return np.concatenate([_slice(file, place) for place in places])


def read_labels(file: Path) -> tuple[NDArray[np.integer[Any]], Geometry]:
    """A label map: whole numbers (z, y, x) and their grid.

    Raises:
        ScanReadError: If it cannot be read or holds other numbers.
    """
    reader = _opened(file)
    geometry = _geometry(file, reader)
    values = _voxels(file, reader)
    if np.issubdtype(values.dtype, np.integer):
        return values, geometry
    whole = np.empty(values.shape, dtype=np.int32)
    for k, plane in enumerate(values):
        if not (np.isfinite(plane).all() and np.abs(plane).max(initial=0) < 2**31 and (plane == np.rint(plane)).all()):
            raise ScanReadError("The label map holds values that are no whole numbers.")
        whole[k] = plane
    return whole, geometry


def _declared(file: Path) -> Declared:
    suffix = split_name(file)[1]
    if suffix not in _FORMATS:
        raise ScanReadError(f"Files that end in {suffix!r} are not read as images.")
    if not file.is_file():  # opening a pipe would wait for ever
        raise ScanReadError("The file is none on disk.")
    if not _is_unicode(file):
        raise ScanReadError("The name of the file or of a folder above it is not in UTF-8; rename it.")
    try:
        return _FORMATS[suffix].declared(file)
    except OSError as error:
        raise ScanReadError(f"The file cannot be opened ({type(error).__name__}).") from error


def _is_unicode(file: Path) -> bool:
    """Whether ITK can be given the name: it ends the process at one that is not in UTF-8."""
    try:
        str(file).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _opened(file: Path) -> Any:
    """ITK's reader with the header of a volume read."""
    import SimpleITK as sitk

    declared = _declared(file)
    image_headers.check(declared)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO(_FORMATS[split_name(file)[1]].io)
    try:
        with _quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise ScanReadError("The axes of the image are not at right angles.", "not_orthogonal") from error
        raise ScanReadError("The header cannot be read.") from error
    if reader.GetNumberOfComponents() != 1:
        raise ScanReadError("A voxel holds several values, one expected.", "not_ct")
    if tuple(reader.GetSize()) != declared.size:
        raise ScanReadError(f"The image is read as one of {reader.GetDimension()} dimensions, 3 expected.")
    return reader


def _geometry(file: Path, reader: Any) -> Geometry:
    geometry = Geometry.from_sitk(reader)
    axes, spacing = np.asarray(geometry.direction), np.asarray(geometry.spacing_zyx_mm)
    origin = np.asarray(geometry.origin_xyz_mm)
    if not (np.isfinite(axes).all() and np.allclose(np.linalg.norm(axes, axis=0), 1, atol=AXIS_TOLERANCE)):
        raise ScanReadError("The header names axes that are no unit vectors.")
    if abs(np.linalg.det(axes)) < MIN_DETERMINANT:
        raise ScanReadError("The header names axes that span no volume.")
    if not (np.isfinite(spacing).all() and (spacing > 0).all() and (spacing <= MAX_SPACING_MM).all()):
        raise ScanReadError("The header names a distance of voxels that no scan has.")
    if not (np.isfinite(origin).all() and (np.abs(origin) <= MAX_ORIGIN_MM).all()):
        raise ScanReadError("The header names a place in the world that no scan has.")
    if _FORMATS[split_name(file)[1]] is _NIFTI:
        _check_affines(image_headers.nifti_affines(file), geometry)
    return geometry


def _check_affines(affines: Sequence[NDArray[np.float64]], geometry: Geometry) -> None:
    """Checks that ITK's grid is one of those that the header tells of.

    ITK takes the distance of voxels from ``pixdim`` even where the sform has another.
    """
    corners = np.array(list(product(*[(0, size - 1) for size in geometry.shape_zyx])))
    world = geometry.to_world(corners)
    told = [(corners[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]) * (-1, -1, 1) for affine in affines]  # RAS to LPS
    if told and min(np.abs(points - world).max() for points in told) > SAME_PLACE_MM:
        raise ScanReadError(
            "The header contradicts itself: the sform has other distances than pixdim.", "contradictory"
        )


def _slice(file: Path, place: float) -> NDArray[np.int16]:
    reader = _opened(file)
    columns, rows, slices = reader.GetSize()
    k = int(place * slices)
    reader.SetExtractIndex([0, 0, k])
    reader.SetExtractSize([columns, rows, 1])
    return as_int16(_voxels(file, reader, slice(k, k + 1)))


def _voxels(file: Path, reader: Any, slices: slice = slice(None)) -> NDArray[Any]:
    """The voxels (z, y, x) that were selected on ITK's reader."""
    import SimpleITK as sitk

    declared = _declared(file)
    try:
        if declared.compressed or declared.data.stat().st_size == declared.offset + declared.n_bytes:
            values = stored_voxels(declared, slices)
        else:
            with _quiet():
                return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except ScanReadError:
        raise
    except Exception as error:  # the libraries' own classes, and those of numpy and zlib
        raise ScanReadError(f"The voxels cannot be read ({type(error).__name__}).") from error
    return _scaled(values, *image_headers.nifti_scale(file)) if _FORMATS[split_name(file)[1]] is _NIFTI else values


def _scaled(values: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Values of NIfTI times its slope plus its intercept."""
    if (slope, intercept) == (1.0, 0.0):
        return values
    kind = np.float32 if values.dtype.itemsize <= 2 else np.float64  # 24 bits hold a product of 16 to a hundredth HU
    return np.asarray(values * kind(slope) + kind(intercept))


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it, ITK does not print its warnings, which name files."""
    import SimpleITK as sitk

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def as_int16(values: NDArray[Any]) -> NDArray[np.int16]:
    """Values rounded and clipped, slice by slice: a float copy of the whole volume would double the memory."""
    if values.dtype == np.int16:
        return values
    result = np.empty(values.shape, dtype=np.int16)
    for k, plane in enumerate(values):
        # A place without a value (NaN) is padding, and padding lies below all tissue.
        plane = np.nan_to_num(np.rint(plane), nan=_INT16.min) if plane.dtype.kind == "f" else plane
        result[k] = np.clip(plane, _INT16.min, _INT16.max)
    return result
