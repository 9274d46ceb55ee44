"""Single image files of the user's own: NIfTI and NRRD, one file a scan, the series uid from the file's name.

NIfTI's axes are RAS and its sform and qform are honoured as ITK does it (``itkNiftiImageIO``); NRRD names its own
space. Label maps among the files (see `medpipe.ct.readers.image_names`) are no scans.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.core.fingerprint import digest, digest_path
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
    images = [file for file in files if itk.split_name(file)[1] in SUFFIXES and file not in labels]
    for file, (name, uid) in _names(raw, images).items():
        stem = itk.split_name(file)[0]
        patient = next((patients[key] for key in (name, uid, stem) if key in patients), uid)
        scans.append(itk.found_scan(raw, file, uid, patient, SOURCE))
    return scans


def _names(raw: Path, images: Sequence[Path]) -> dict[Path, tuple[str, str]]:
    """Name and series uid of each image: its own name or, where files with other voxels share it, its path.

    Many a data set has one folder a case and ``ct.nii.gz`` in each; copies of one file are to be found as such.
    """
    alike: dict[str, list[Path]] = defaultdict(list)
    for file in images:
        alike[itk.split_name(file)[0]].append(file)
    names = {}
    for name, files in alike.items():
        contents = [_content_digest(file) for file in files] if len(files) > 1 else [""]
        firsts = dict(zip(reversed(contents), reversed(files), strict=True))
        for file, digest_of_file in zip(files, contents, strict=True):
            first = firsts[digest_of_file]
            path = (first.parent / itk.split_name(first)[0]).relative_to(raw).as_posix()
            names[file] = name if len(firsts) == 1 else path
    return {file: (names[file], series_uid_of(names[file])) for file in images}


def _content_digest(file: Path) -> str:
    try:
        return digest([digest_path(part) for part in itk.content(file)])
    except OSError:  # it cannot be read, and is like no other
        return str(file)


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
