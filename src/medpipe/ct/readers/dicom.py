"""CT series in DICOM files, in any tree and under any names, zipped or not: found by their series uid.

The order of the slices and their distance come from the positions along the slices' normal (DICOM PS3.3 C.7.6.2.1.1).
``SliceThickness``, ``InstanceNumber`` and file names are not consulted: none of them has to tell where a slice lies.

``ScanRef.path`` is the folder that holds all slices. One phase of a scan with several is named by a suffix to it,
``folder#phase=2``; a sample that is a frame of a multi-frame file is named ``file#frame=12``.
"""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medpipe.core.fingerprint import digest
from medpipe.core.parallel import parallel
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers.archive import BrokenArchive, archive_of, expand, files_below, stamp
from medpipe.ct.readers.base import Rejection, ScanReadError, ScanRef
from medpipe.ct.readers.dicom_headers import dicom_candidates, read_headers
from medpipe.ct.readers.dicom_pixels import read_hounsfield
from medpipe.ct.readers.dicom_records import BadFile, SliceHeader
from medpipe.ct.readers.dicom_series import imaging_slices, sorted_stack
from medpipe.ct.readers.dicom_stack import check_stack, stack_geometry, usable_stack
from medpipe.ct.volume import Volume

SOURCE = "dicom"
FILES_A_JOB = 1024
"""Headers read by one job: about a second of work."""

SAMPLED_AT = (0.3, 0.5, 0.7)
"""Where a series is looked into at intake, as fractions of its length."""

LABEL_CLASSES = frozenset({f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("66.4", "66.7", "481.3")})
"""SOP classes of segmentation, label map segmentation and RT structure set: labels of scans, no scans."""

LABEL_MODALITIES = frozenset({"SEG", "RTSTRUCT"})

_PHASE = re.compile(r"#phase=(\d+)$")
_FRAME = re.compile(r"#frame=(\d+)$")


def discover(raw: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
    """Every DICOM series below the raw folder, with its geometry or the reason why there is none.

    Args:
        raw: The raw folder.
        files: All files below it; archives are looked into.
        params: Tolerances of the stack of slices, worker processes.
    """
    found, broken = expand(files)
    candidates = dicom_candidates(found)
    batches = [candidates[first : first + FILES_A_JOB] for first in range(0, len(candidates), FILES_A_JOB)]
    series: dict[str, list[SliceHeader]] = defaultdict(list)
    unreadable: dict[Path, list[BadFile]] = defaultdict(list)
    for batch in parallel(read_headers, batches, n_jobs=params.n_jobs, description="DICOM headers"):
        for header in batch:
            if isinstance(header, BadFile):
                unreadable[header.path.parent].append(header)
            elif not _is_label(header):
                series[header.file.series_uid].append(header)
    scans = [_series_scan(raw, uid, slices, params.gate) for uid, slices in sorted(series.items())]
    scans += [_unreadable_scan(raw, folder, bad) for folder, bad in sorted(unreadable.items())]
    return scans + [_broken_archive(raw, archive) for archive in broken]


def _is_label(header: SliceHeader) -> bool:
    return header.file.sop_class in LABEL_CLASSES or header.file.modality in LABEL_MODALITIES


def _relative(raw: Path, path: Path | str) -> str:
    return Path(path).relative_to(raw).as_posix()


def _unreadable_scan(raw: Path, folder: Path, bad: Sequence[BadFile]) -> ScanRef:
    count = "1 file" if len(bad) == 1 else f"{len(bad)} files of one folder"
    rejection = Rejection(
        "unreadable", f"{count} cannot be read as DICOM: {bad[0].error}.", _relative(raw, bad[0].path)
    )
    return _no_scan(_relative(raw, folder), rejection)


def _broken_archive(raw: Path, archive: BrokenArchive) -> ScanRef:
    path = _relative(raw, archive.path)
    return _no_scan(path, Rejection("unreadable", archive.reason, path))


def _no_scan(path: str, rejection: Rejection) -> ScanRef:
    """A row for what never was a scan; it is named by a digest, as its path may hold a patient's name."""
    uid = f"unreadable-{digest(path)[:16]}"
    return ScanRef(uid, uid, SOURCE, path, rejection=rejection)


def _series_scan(raw: Path, series_uid: str, headers: Sequence[SliceHeader], params: GateParams) -> ScanRef:
    slices, rejection = usable_stack(headers, params.phase)
    rejection = rejection or check_stack(slices, params)
    if rejection is None:
        slices = sorted_stack(slices)
    elif rejection.file is not None:
        rejection = Rejection(rejection.code, rejection.reason, _relative(raw, rejection.file))
    folder = os.path.commonpath([header.file.path.parent for header in slices])
    chosen = params.phase is not None and len(slices) < len(imaging_slices(headers))
    first = slices[0].file
    return ScanRef(
        series_uid=series_uid,
        patient_id=first.patient_id or first.study_uid or series_uid,
        source=SOURCE,
        path=_relative(raw, folder) + (f"#phase={params.phase}" if chosen else ""),
        geometry=stack_geometry(slices) if rejection is None else None,
        rejection=rejection,
        kernel=first.kernel,
        manufacturer=first.manufacturer,
        model=first.model,
        deidentified=all(header.file.deidentified for header in slices),
        samples=tuple(_sample_name(raw, slices[int(place * len(slices))]) for place in SAMPLED_AT),
    )


def _sample_name(raw: Path, header: SliceHeader) -> str:
    frame = f"#frame={header.frame}" if header.file.n_frames > 1 else ""
    return _relative(raw, header.file.path) + frame


def read_volume(raw: Path, path: str, series_uid: str) -> Volume:
    """The voxels of a series in Hounsfield units, as they lie in the files.

    Args:
        raw: The raw folder.
        path: ``ScanRef.path``: the folder of the slices, perhaps with subfolders and other files, and the phase.
        series_uid: Which series.

    Raises:
        ScanReadError: If the slices are gone, make no volume any more, or one cannot be read.
    """
    slices = read_stack(raw, path, series_uid)
    return Volume(read_hounsfield(slices), stack_geometry(slices))


def read_stack(raw: Path, path: str, series_uid: str) -> list[SliceHeader]:
    """The slices that make the volume of a series, in the order of its array's z axis; no pixel is read.

    Args:
        raw: As in `read_volume`.
        path: As in `read_volume`.
        series_uid: As in `read_volume`.

    Raises:
        ScanReadError: If the slices are gone or make no volume any more.
    """
    folder, phase = _split_suffix(path, _PHASE)
    try:
        found = _headers_below(raw / folder)
    except OSError as error:
        raise ScanReadError(f"The folder of the series cannot be read ({type(error).__name__}).") from error
    headers = [header for header in found if header.file.series_uid == series_uid and not _is_label(header)]
    if not headers:
        raise ScanReadError("No slice of the series is left.")
    slices, rejection = usable_stack(headers, phase)
    if rejection is not None:
        raise ScanReadError(rejection.reason, rejection.code)
    if len(slices) < 2:
        raise ScanReadError("Only one slice of the series is left.", "too_few_slices")
    return sorted_stack(slices)


def _split_suffix(path: str, suffix: re.Pattern[str]) -> tuple[str, int | None]:
    match = suffix.search(path)
    return (path[: match.start()], int(match[1])) if match else (path, None)


def _headers_below(folder: Path) -> Sequence[SliceHeader]:
    """All slices below a folder; kept for the next call, as a flat folder of many series is asked for each of them."""
    files = dicom_candidates(files_below(folder))
    return _read_once(tuple(stamp(file) for file in files))


@lru_cache(maxsize=1)
def _read_once(stamps: tuple[tuple[str, int, int], ...]) -> Sequence[SliceHeader]:
    headers = read_headers([Path(name) for name, _, _ in stamps])
    return [header for header in headers if isinstance(header, SliceHeader)]


def scan_folder(path: str) -> str:
    """The folder of a ``ScanRef.path``, which may name one of its phases."""
    return _split_suffix(path, _PHASE)[0]


def sample_file(sample: str) -> str:
    """The file of an entry of ``ScanRef.samples``, which may name one of its frames."""
    return _split_suffix(sample, _FRAME)[0]


def read_samples(raw: Path, scan: ScanRef) -> NDArray[np.int16]:
    """A few slices of a scan in Hounsfield units, int16 (slices, rows, columns), the middle one in the middle.

    Raises:
        ScanReadError: If one cannot be read.
    """
    slices = []
    headers_of = {name: read_headers([raw / name]) for name in {sample_file(sample) for sample in scan.samples}}
    for sample in scan.samples:
        name, frame = _split_suffix(sample, _FRAME)
        headers = [header for header in headers_of[name] if isinstance(header, SliceHeader)]
        if len(headers) <= (frame or 0) or headers[frame or 0].file.pixels is None:
            raise ScanReadError("A slice that was there is gone.")
        slices.append(headers[frame or 0])
    sizes = {(header.file.rows, header.file.columns) for header in slices}
    if len(sizes) != 1 or 0 in next(iter(sizes)):
        raise ScanReadError("The slices have different sizes, or none.", "mixed_size")
    return read_hounsfield(slices)


def read_slice(path: Path) -> NDArray[np.int16]:
    """The slice of a single-frame file in Hounsfield units, int16 (rows, columns).

    Raises:
        ScanReadError: If it cannot be read.
    """
    headers = read_headers([path])
    if len(headers) != 1 or isinstance(headers[0], BadFile):
        raise ScanReadError(f"The file holds {len(headers)} slices, or none that can be read; one expected.")
    return read_hounsfield([headers[0]])[0]


def content(raw: Path, path: str) -> list[Path]:
    """The folder, or the archive, on disk that holds the slices; its digest tells whether the scan changed."""
    folder = raw / scan_folder(path)
    return [archive_of(folder) or folder]
