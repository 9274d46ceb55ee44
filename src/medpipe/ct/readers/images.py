"""Single image files of the user's own: NIfTI and NRRD, one file a scan, the series uid from the file's name.

NIfTI's axes are RAS and its sform and qform are honoured as ITK does it (``itkNiftiImageIO``); NRRD names its own
space. Label maps among the files (see `medpipe.ct.readers.image_names`) are no scans.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers import itk
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.image_names import label_maps, series_uid_of
from medpipe.ct.readers.tables import read_patients
from medpipe.ct.volume import Volume

SOURCE = "image"
SUFFIXES = frozenset({".nii", ".nii.gz", ".nrrd", ".nhdr"})


def discover(raw: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
    """Every NIfTI and NRRD file that is no label map, with its geometry or the reason why it cannot be read.

    Args:
        raw: The raw folder.
        files: All files below it.
        params: Of the labels, to tell label maps from scans.
    """
    labels = label_maps(files, params.labels.map_suffix)
    patients = read_patients(files)
    scans = []
    for file in files:
        name, suffix = itk.split_name(file)
        if suffix in SUFFIXES and file not in labels:
            uid = series_uid_of(name)
            scans.append(itk.found_scan(raw, file, uid, patients.get(name, patients.get(uid, uid)), SOURCE))
    return scans


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
    """The file, and the one of the voxels where that is another."""
    return itk.content(raw / path)
