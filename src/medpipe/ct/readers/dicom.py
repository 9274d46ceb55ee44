"""CT series in DICOM files, in any tree and under any names: found by their series uid.

The order of the slices and their distance come from the positions along the slices' normal (DICOM PS3.3 C.7.6.2.1.1).
``SliceThickness``, ``InstanceNumber`` and file names are not consulted: none of them has to tell where a slice lies.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.parallel import parallel
from medpipe.ct.params import GateParams
from medpipe.ct.readers.base import NODULE_COLUMNS, Rejection, ScanReadError, ScanRef, findings_table
from medpipe.ct.readers.dicom_headers import (
    HEADER_TAGS,
    SliceHeader,
    dicom_candidates,
    lenient_reading,
    read_headers,
    slice_header,
)
from medpipe.ct.readers.dicom_stack import check_stack, sorted_stack, stack_geometry
from medpipe.ct.readers.tables import read_csv
from medpipe.ct.volume import Volume

SOURCE = "dicom"
FILES_A_JOB = 1024
"""Headers read by one job: about a second of work."""

SAMPLED_AT = (0.3, 0.5, 0.7)
"""Where a series is looked into at intake, as fractions of its length."""

PIXEL_TAGS = [
    *HEADER_TAGS,
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
]

_INT16 = np.iinfo(np.int16)


def discover(raw: Path, files: Sequence[Path], params: GateParams, n_jobs: int) -> list[ScanRef]:
    """Every DICOM series below the raw folder, with its geometry or the reason why there is none.

    Args:
        raw: The raw folder.
        files: All files below it.
        params: Tolerances of the stack of slices.
        n_jobs: Worker processes.
    """
    candidates = dicom_candidates(files)
    batches = [candidates[first : first + FILES_A_JOB] for first in range(0, len(candidates), FILES_A_JOB)]
    series: dict[str, list[SliceHeader]] = defaultdict(list)
    unreadable: dict[Path, list[SliceHeader]] = defaultdict(list)
    for batch in parallel(read_headers, batches, n_jobs=n_jobs, description="DICOM headers"):
        for header in batch:
            if header.error is None:
                series[header.series_uid].append(header)
            else:
                unreadable[header.file.parent].append(header)
    scans = [_series_scan(raw, uid, slices, params) for uid, slices in sorted(series.items())]
    return scans + [_unreadable_scan(raw, folder, bad) for folder, bad in sorted(unreadable.items())]


def _unreadable_scan(raw: Path, folder: Path, bad: Sequence[SliceHeader]) -> ScanRef:
    path = folder.relative_to(raw).as_posix()
    count = "1 file" if len(bad) == 1 else f"{len(bad)} files"
    reason = f"{count} cannot be read as DICOM; the first, {bad[0].file.name}: {bad[0].error}."
    uid = f"unreadable:{path}"
    return ScanRef(uid, uid, SOURCE, path, rejection=Rejection("unreadable", reason))


def _series_scan(raw: Path, series_uid: str, headers: Sequence[SliceHeader], params: GateParams) -> ScanRef:
    slices = list({header.sop_uid: header for header in reversed(headers)}.values())
    folder = Path(os.path.commonpath([header.file.parent for header in slices]))
    rejection = check_stack(slices, params)
    if rejection is None:
        slices = sorted_stack(slices)
    sampled = [slices[int(place * len(slices))].file for place in SAMPLED_AT]
    return ScanRef(
        series_uid=series_uid,
        patient_id=slices[0].patient_id or series_uid,
        source=SOURCE,
        path=folder.relative_to(raw).as_posix(),
        geometry=stack_geometry(slices) if rejection is None else None,
        kernel=slices[0].kernel,
        rejection=rejection,
        samples=tuple(file.relative_to(raw).as_posix() for file in sampled),
    )


def read_volume(folder: Path, series_uid: str) -> Volume:
    """The voxels of a series in Hounsfield units.

    Args:
        folder: Folder that holds the slices, perhaps in subfolders and beside other files.
        series_uid: Which series.

    Raises:
        ScanReadError: If there are no slices, or one cannot be read or differs in size from the others.
    """
    found: dict[str, tuple[SliceHeader, Any]] = {}
    with lenient_reading():
        for file in dicom_candidates(sorted(path for path in folder.rglob("*") if path.is_file())):
            data = _read(file)
            header = slice_header(file, data)
            if header.series_uid == series_uid:
                found.setdefault(header.sop_uid, (header, data))
        if not found:
            raise ScanReadError(f"No slice of the series is left in {folder.name}.")
        data_of = {header.file: data for header, data in found.values()}
        slices = sorted_stack([header for header, _ in found.values()])
        geometry = stack_geometry(slices)
        array = np.empty(geometry.shape_zyx, dtype=np.int16)
        for k, header in enumerate(slices):
            pixels = _hounsfield(header.file, data_of.pop(header.file))
            if pixels.shape != array.shape[1:]:
                raise ScanReadError(f"{header.file.name} has {pixels.shape} pixels, {array.shape[1:]} expected.")
            array[k] = pixels
    return Volume(array, geometry)


def read_slice(file: Path) -> NDArray[np.int16]:
    """One slice in Hounsfield units, int16 (rows, columns).

    Raises:
        ScanReadError: If it cannot be read.
    """
    with lenient_reading():
        return _hounsfield(file, _read(file))


def _read(file: Path) -> Any:
    import pydicom

    try:
        return pydicom.dcmread(file, specific_tags=PIXEL_TAGS, force=True)
    except Exception as error:  # pydicom fails on broken files in many ways
        raise ScanReadError(f"{file.name} cannot be read as DICOM: {error}") from error


def _hounsfield(file: Path, data: Any) -> NDArray[np.int16]:
    """Stored values times slope plus intercept, both of this very slice (DICOM PS3.3 C.11.1.1.2)."""
    pixels = _stored_values(file, data)
    if pixels is None:
        return _decode_with_itk(file)
    slope = float(data.get("RescaleSlope", 1))
    intercept = float(data.get("RescaleIntercept", 0))
    if slope == 1 and intercept.is_integer():
        values = pixels.astype(np.int32) + int(intercept)
    else:
        values = np.rint(pixels * slope + intercept)
    return np.asarray(np.clip(values, _INT16.min, _INT16.max).astype(np.int16))


def _stored_values(file: Path, data: Any) -> NDArray[Any] | None:
    """Stored values (rows, columns); None where only ITK has the decoder."""
    try:
        if (plain := _plain_values(data)) is not None:
            return plain
        return np.asarray(data.pixel_array)
    except (NotImplementedError, RuntimeError):
        return None
    except Exception as error:
        raise ScanReadError(f"The pixels of {file.name} cannot be read: {error}") from error


def _plain_values(data: Any) -> NDArray[Any] | None:
    """Uncompressed little-endian 16-bit values without a copy; None where pydicom has to do it."""
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    plain = syntax is not None and not syntax.is_compressed and syntax.is_little_endian
    if not plain or data.BitsAllocated != 16 or len(data.PixelData) < 2 * data.Rows * data.Columns:
        return None
    kind = "<i2" if data.PixelRepresentation else "<u2"
    values = np.frombuffer(data.PixelData, dtype=kind, count=data.Rows * data.Columns)
    return values.reshape(data.Rows, data.Columns)


def _decode_with_itk(file: Path) -> NDArray[np.int16]:
    """JPEG, JPEG-LS and JPEG 2000 by ITK's own decoders; ITK applies slope and intercept itself."""
    import SimpleITK as sitk

    try:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(file), sitk.sitkFloat64))[0]
    except RuntimeError as error:
        raise ScanReadError(f"The pixels of {file.name} cannot be decoded.") from error
    return np.asarray(np.clip(np.rint(values), _INT16.min, _INT16.max).astype(np.int16))


def findings(files: Sequence[Path]) -> pd.DataFrame:
    """Findings of every ``findings.csv``; columns of the findings table, of which uid, place and kind are needed.

    Args:
        files: All files of the raw folder.

    Raises:
        InputError: If a table lacks a column.
    """
    needed = ("series_uid", "x_mm", "y_mm", "z_mm", "kind")
    text = ("finding_id", "series_uid", "kind", "texture")
    tables = [read_csv(file, needed, text) for file in files if file.name == "findings.csv"]
    rows = [row for table in tables for row in table.to_dict("records")]
    return findings_table([{key: row.get(key) for key in NODULE_COLUMNS} for row in rows])
