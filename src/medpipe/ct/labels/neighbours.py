"""Which series a file of labels belongs to when it does not say: those whose folder it lies in or beside."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LabelError
from medpipe.ct.readers import dicom
from medpipe.ct.readers.base import ScanRef

DICOM_SOURCES = frozenset({"dicom", "lidc"})
"""Sources of scans that are DICOM series."""


def is_dicom(scan: ScanRef) -> bool:
    """Whether a scan is a DICOM series, also where it has another name of source by now ("lidc")."""
    return scan.source in DICOM_SOURCES


def series_beside(raw: Path, file: Path, scans: Sequence[ScanRef]) -> list[str]:
    """DICOM series whose folder holds the file, or lies beside it or beside its folder.

    Args:
        raw: The raw folder.
        file: A file of labels.
        scans: All scans.
    """
    folder = PurePosixPath(file.relative_to(raw).as_posix()).parent
    found = []
    for scan in scans:
        path = PurePosixPath(dicom.scan_folder(scan.path))
        if is_dicom(scan) and (
            path == folder or path in folder.parents or folder.parent == path.parent or path.parent == folder
        ):
            found.append(scan.series_uid)
    return found


def failed(reason: str, geometry: Geometry) -> list[Finding]:
    """A job of a series whose labels cannot be read.

    Args:
        reason: A sentence without names of files or patients.
        geometry: Not looked at.

    Raises:
        LabelError: Always, with the reason.
    """
    raise LabelError(reason)
