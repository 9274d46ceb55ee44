"""Readers: each finds the scans of one kind of data set, reads their voxels and their findings."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers import dicom, luna16
from medpipe.ct.readers.base import Rejection, ScanReadError, ScanRef
from medpipe.ct.volume import Volume

__all__ = ["Rejection", "ScanReadError", "ScanRef", "read_samples", "read_volume"]


def read_volume(raw: Path, path: str, series_uid: str, source: str) -> Volume:
    """The voxels of a scan of the manifest, as they lie in the files.

    Args:
        raw: The raw folder.
        path: ``path`` of the scan in ``ct_scans``.
        series_uid: ``series_uid`` of the scan.
        source: ``source`` of the scan.

    Raises:
        ScanReadError: If the scan cannot be read.
    """
    if source == luna16.SOURCE:
        return luna16.read_volume(raw / path)
    return dicom.read_volume(raw / path, series_uid)


def read_samples(raw: Path, scan: ScanRef) -> NDArray[np.int16]:
    """A few slices of a scan in Hounsfield units, int16 (slices, rows, columns).

    Raises:
        ScanReadError: If one cannot be read.
    """
    if scan.source == luna16.SOURCE:
        return luna16.read_samples(raw / scan.path)
    return np.stack([dicom.read_slice(raw / sample) for sample in scan.samples])
