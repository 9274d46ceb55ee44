"""LUNA16: one MetaImage a scan.

Layout of the challenge (https://luna16.grand-challenge.org/Data/): ``subset0`` to ``subset9`` with
``<series_uid>.mhd`` and ``.raw`` or ``.zraw``, and ``seriesuids.csv``; its tables of findings are read by
`medpipe.ct.labels.tables`. ``.mha`` files are taken the same way. An optional ``patients.csv``
(``series_uid,patient_id``) tells which scans belong together.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers import itk
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.image_names import label_maps
from medpipe.ct.readers.tables import read_patients
from medpipe.ct.volume import Volume

SOURCE = "luna16"
SUFFIXES = frozenset({".mhd", ".mha"})
SEGMENTATION_PREFIX = "seg-lungs"
"""The challenge ships lung masks under the scans' own names in ``seg-lungs-LUNA16``."""


def discover(raw: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
    """Every MetaImage as a scan, with its geometry or the reason why it cannot be read.

    Args:
        raw: The raw folder.
        files: All files below it.
        params: Of the labels, to tell label maps from scans.
    """
    labels = label_maps(files, params.labels.map_suffix)
    headers = [
        file
        for file in files
        if itk.split_name(file)[1] in SUFFIXES and file not in labels and not _is_segmentation(raw, file)
    ]
    patients = read_patients(files)
    return [itk.found_scan(raw, file, file.stem, patients.get(file.stem, file.stem), SOURCE) for file in headers]


def _is_segmentation(raw: Path, file: Path) -> bool:
    return any(part.lower().startswith(SEGMENTATION_PREFIX) for part in file.relative_to(raw).parts)


def read_volume(raw: Path, path: str, series_uid: str) -> Volume:
    """The voxels of a scan as they lie in the file.

    Args:
        raw: The raw folder.
        path: ``path`` of the scan.
        series_uid: Of the scan; the path says it all.

    Raises:
        ScanReadError: If they cannot be read.
    """
    return itk.read_volume(raw / path)


def read_samples(raw: Path, scan: ScanRef) -> NDArray[np.int16]:
    """A few slices, int16 (slices, rows, columns), without reading the others where the format allows it.

    Raises:
        ScanReadError: If one cannot be read.
    """
    return itk.read_samples(raw / scan.path)


def content(raw: Path, path: str) -> list[Path]:
    """The header and the file of the voxels."""
    return itk.content(raw / path)


def missing_series(files: Sequence[Path], found: set[str]) -> int:
    """How many series that ``seriesuids.csv`` lists are not in the folder (a partial download)."""
    return len(listed_series(files) - found)


def listed_series(files: Sequence[Path]) -> set[str]:
    """The series that the challenge is made of, by its ``seriesuids.csv``."""
    lists = [file for file in files if file.name == "seriesuids.csv"]
    lines = {line.strip() for file in lists for line in file.read_text("utf-8", errors="replace").splitlines()}
    return {uid for uid in lines if uid and uid.lower() != "seriesuid"}
