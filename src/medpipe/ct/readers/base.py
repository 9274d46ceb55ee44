"""What every reader of scans hands to intake: series with their place in the world, or the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.params import IngestCTParams
from medpipe.ct.volume import Volume


class ScanReadError(ValueError):
    """A scan's voxels cannot be read.

    Attributes:
        code: As in `Rejection`.
        reason: As in `Rejection`: a sentence without names of files, which may be names of patients.
    """

    def __init__(self, reason: str, code: str = "unreadable") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Rejection:
    """Why a scan is not used.

    Attributes:
        code: Short code for grouping, such as ``missing_slices``.
        reason: One sentence for a person, with the value found and the one expected. It leaves the raw layer, so it
            holds no file name and no text from a header that could name a patient.
        file: The file at fault, relative to the raw folder; stays in the raw layer.
    """

    code: str
    reason: str
    file: str | None = None


@dataclass(frozen=True)
class ScanRef:
    """A series that was found.

    Attributes:
        series_uid: The series.
        patient_id: The patient; where none is known the study of one visit, or the series itself.
        source: Name of the kind of data: the reader's ``SOURCE``, or that of the labels, as "lidc".
        path: Relative to the raw folder, with forward slashes; with the series uid, all the reader needs to find the
            voxels again. A member of an archive is named as if the archive were a folder.
        geometry: The grid as it lies in the files; None where it could not be worked out.
        rejection: None while nothing speaks against the scan.
        kernel: Reconstruction kernel, where it is known.
        manufacturer: Of the scanner, where it is known.
        model: Of the scanner, where it is known.
        deidentified: Whether the files themselves say that the patient's identity was removed.
        samples: A few files of the series, relative like ``path``, to look into before it is accepted.
        reader: Name of the reader in ``ingest_ct.readers``; intake fills it in.
    """

    series_uid: str
    patient_id: str
    source: str
    path: str
    geometry: Geometry | None = None
    rejection: Rejection | None = None
    kernel: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    deidentified: bool = False
    samples: tuple[str, ...] = ()
    reader: str = ""


class Reader(Protocol):
    """What a module must offer to be named in ``ingest_ct.readers``.

    Functions raise `ScanReadError` for scans that cannot be read, and nothing else.
    """

    SOURCE: str

    @staticmethod
    def discover(raw: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
        """Every scan of this kind among the files, with its geometry or the reason why it has none."""

    @staticmethod
    def read_volume(raw: Path, path: str, series_uid: str) -> Volume:
        """The voxels of a scan in Hounsfield units, as they lie in the files."""

    @staticmethod
    def read_samples(raw: Path, scan: ScanRef) -> NDArray[np.int16]:
        """A few slices in Hounsfield units, int16 (slices, rows, columns), the middle one in the middle."""

    @staticmethod
    def content(raw: Path, path: str) -> list[Path]:
        """The files or folders on disk that hold the scan; their digest tells whether it changed."""
