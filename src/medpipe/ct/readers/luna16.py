"""LUNA16: one MetaImage a scan, findings in comma-separated tables with world coordinates.

Layout of the challenge (https://luna16.grand-challenge.org/Data/): ``subset0`` to ``subset9`` with
``<series_uid>.mhd`` and ``.raw`` or ``.zraw``, ``annotations.csv``, ``annotations_excluded.csv``, ``seriesuids.csv``.
An optional ``patients.csv`` (``series_uid,patient_id``) tells which scans belong together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.readers.base import Rejection, ScanReadError, ScanRef, findings_table
from medpipe.ct.readers.tables import read_csv
from medpipe.ct.volume import Volume

SOURCE = "luna16"
ANNOTATION_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
SEGMENTATION_PREFIX = "seg-lungs"
"""The challenge ships lung masks under the scans' own names in ``seg-lungs-LUNA16``."""


def discover(raw: Path, files: Sequence[Path]) -> list[ScanRef]:
    """Every MetaImage as a scan, with its geometry or the reason why it cannot be read.

    Args:
        raw: The raw folder.
        files: All files below it.
    """
    headers = [file for file in files if file.suffix.lower() == ".mhd" and not _is_segmentation(raw, file)]
    patients = _patients(files)
    return [_scan(raw, file, patients.get(file.stem, file.stem)) for file in headers]


def _is_segmentation(raw: Path, file: Path) -> bool:
    return any(part.lower().startswith(SEGMENTATION_PREFIX) for part in file.relative_to(raw).parts)


def _scan(raw: Path, file: Path, patient_id: str) -> ScanRef:
    path = file.relative_to(raw).as_posix()
    try:
        geometry = _read_geometry(file)
    except ScanReadError as error:
        return ScanRef(file.stem, patient_id, SOURCE, path, rejection=Rejection("unreadable", str(error)))
    return ScanRef(file.stem, patient_id, SOURCE, path, geometry)


def _read_geometry(file: Path) -> Geometry:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ScanReadError(f"{file.name} is no MetaImage header.") from error
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise ScanReadError(f"{file.name} has {reader.GetDimension()} dimensions, 3 expected.")
    _check_data_file(file)
    return Geometry.from_sitk(reader)


def _check_data_file(file: Path) -> None:
    """Finds out from sizes alone whether the voxels are there (MetaIO cannot be asked without reading them)."""
    fields = _header_fields(file)
    data = data_file(file)
    if not data.is_file():
        raise ScanReadError(f"The voxels of {file.name} are missing: {data.name} is not beside it.")
    if data == file:
        return
    width = {"MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_FLOAT": 4, "MET_DOUBLE": 8}
    if fields.get("CompressedData", "False").lower() != "true" and fields.get("ElementType") in width:
        expected = width[fields["ElementType"]]
        for size in fields["DimSize"].split():
            expected *= int(size)
        if (found := data.stat().st_size) < expected:
            raise ScanReadError(f"{data.name} is cut short: {found} bytes, {expected} expected.")


def data_file(file: Path) -> Path:
    """The file that holds the voxels of a MetaImage header; the header itself where they follow it."""
    name = _header_fields(file).get("ElementDataFile", "LOCAL")
    return file if name.upper().startswith(("LOCAL", "LIST")) else file.parent / name


def _header_fields(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="latin-1").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def read_volume(file: Path) -> Volume:
    """The voxels of a scan as they lie in the file.

    Raises:
        ScanReadError: If they cannot be read.
    """
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        raise ScanReadError(f"The voxels of {file.name} cannot be read.") from error
    return Volume(_as_int16(image), Geometry.from_sitk(image))


def read_samples(file: Path) -> NDArray[np.int16]:
    """The middle slice, int16 (1, rows, columns), without reading the others where the format allows it.

    Raises:
        ScanReadError: If it cannot be read.
    """
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
        columns, rows, slices = reader.GetSize()
        reader.SetExtractIndex([0, 0, slices // 2])
        reader.SetExtractSize([columns, rows, 1])
        return _as_int16(reader.Execute())
    except RuntimeError as error:
        raise ScanReadError(f"The voxels of {file.name} cannot be read.") from error


def _as_int16(image: Any) -> NDArray[np.int16]:
    import SimpleITK as sitk

    if image.GetPixelID() != sitk.sitkInt16:
        image = sitk.Cast(sitk.Clamp(image, sitk.sitkFloat64, -32768, 32767), sitk.sitkInt16)
    return np.asarray(sitk.GetArrayFromImage(image))


def findings(files: Sequence[Path]) -> pd.DataFrame:
    """Nodules of ``annotations.csv`` and irrelevant findings of ``annotations_excluded.csv``.

    Args:
        files: All files of the raw folder; tables are found by name, wherever they lie.

    Returns:
        A findings table (see ``medpipe.ct.readers.base``); LUNA16's diameter -1 is null.

    Raises:
        InputError: If a table lacks a column.
    """
    rows = []
    for name, kind in (("annotations.csv", "nodule"), ("annotations_excluded.csv", "irrelevant")):
        for file in files:
            if file.name == name:
                rows.append(_read_annotations(file).assign(kind=kind))
    if not rows:
        return findings_table([])
    table = pd.concat(rows, ignore_index=True).drop_duplicates(ignore_index=True)
    table["diameter_mm"] = table["diameter_mm"].where(table["diameter_mm"] > 0)
    return findings_table(table.to_dict("records"))


def _read_annotations(file: Path) -> pd.DataFrame:
    table = read_csv(file, ANNOTATION_COLUMNS, text=("seriesuid",))
    names = {"seriesuid": "series_uid", "coordX": "x_mm", "coordY": "y_mm", "coordZ": "z_mm"}
    return table[list(ANNOTATION_COLUMNS)].rename(columns=names)


def _patients(files: Sequence[Path]) -> dict[str, str]:
    columns = ("series_uid", "patient_id")
    tables = [read_csv(file, columns, text=columns) for file in files if file.name == "patients.csv"]
    return {
        uid: patient for table in tables for uid, patient in zip(table["series_uid"], table["patient_id"], strict=True)
    }


def missing_series(files: Sequence[Path], found: set[str]) -> int:
    """How many series that ``seriesuids.csv`` lists are not in the folder (a partial download)."""
    lists = [file for file in files if file.name == "seriesuids.csv"]
    listed = {line.strip() for file in lists for line in file.read_text(encoding="utf-8").splitlines()}
    return len({uid for uid in listed if uid and uid.lower() != "seriesuid"} - found)
