"""DICOM objects that hold labels (segmentations, structure sets): found by their class, given to their series."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from medpipe.ct.labels.base import LabelError, LabelJob
from medpipe.ct.labels.neighbours import failed, is_dicom, series_beside
from medpipe.ct.readers import dicom
from medpipe.ct.readers.archive import archive_of, expand, open_file
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.dicom_headers import DICOM_SUFFIXES, GROUP_8_STARTS, PREAMBLE_BYTES, lenient_reading

SEGMENTATION = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of segmentations and of label map segmentations (DICOM PS3.4 B.5)."""

STRUCTURE_SET = ("1.2.840.10008.5.1.4.1.1.481.3",)
"""SOP class of RT structure sets."""

HEAD_BYTES = 1024
"""The class stands in the meta information or, without that, among the first elements: within these bytes."""

_logger = logging.getLogger(__name__)

_SERIES, _INSTANCE, _FRAME = 0x0020000E, 0x00081155, 0x00200052


@dataclass(frozen=True)
class Owner:
    """What ties a label object to series.

    Attributes:
        series_uids: Series that it references.
        instance_uids: Slices that it references.
        frame_uids: Frames of reference that its coordinates are in.
    """

    series_uids: frozenset[str]
    instance_uids: frozenset[str]
    frame_uids: frozenset[str]


class _Scans:
    """The scans, and of DICOM series what a slice of each says, read when it is asked for."""

    def __init__(self, raw: Path, scans: Sequence[ScanRef]) -> None:
        self.raw, self.scans = raw, scans
        self.uids = {scan.series_uid for scan in scans}

    def of(self, owner: Owner) -> list[str]:
        """Series of an object: those it names, or else those of its slices, or else those of its coordinates."""
        if named := owner.series_uids & self.uids:
            return sorted(named)
        sampled = self._samples
        if by_slice := {uid for uid, (slices, _) in sampled.items() if slices & owner.instance_uids}:
            return sorted(by_slice)
        return sorted(uid for uid, (_, frames) in sampled.items() if frames & owner.frame_uids)

    @cached_property
    def _samples(self) -> dict[str, tuple[set[str], set[str]]]:
        found: dict[str, tuple[set[str], set[str]]] = {}
        for scan in self.scans:
            slices, frames = found.setdefault(scan.series_uid, (set(), set()))
            for sample in scan.samples if is_dicom(scan) else ():
                file = self.raw / dicom.sample_file(sample)
                if (data := read_header(file, ["SOPInstanceUID", "FrameOfReferenceUID"])) is not None:
                    slices.add(str(data.get("SOPInstanceUID", "")))
                    frames.add(str(data.get("FrameOfReferenceUID", "")))
            slices.discard("")
            frames.discard("")
        return found


def jobs_of_objects(
    raw: Path,
    files: Sequence[Path],
    scans: Sequence[ScanRef],
    sop_classes: Sequence[str],
    required: Sequence[str],
    optional: Sequence[str],
    job_of: Callable[[Path, Any], LabelJob | None],
    damaged: str,
    kind: str,
) -> dict[str, list[LabelJob]]:
    """Jobs of every label object of a class for the series that it belongs to.

    Copies of one object count once. One whose header cannot be read fails the series beside it: without its findings
    they would pass for healthy.

    Args:
        raw: The raw folder.
        files: All files below it.
        scans: All scans found.
        sop_classes: Classes of object.
        required: Elements of the header without which an object is damaged, by keyword.
        optional: Other elements that tell of series.
        job_of: Gives the job of a file by its header, None where it holds no finding; raises where it is damaged.
        damaged: Reason for series beside a damaged object, without names.
        kind: Name of the class for the log.
    """
    jobs: dict[str, list[LabelJob]] = {}
    known, seen, n_stray = _Scans(raw, scans), set(), 0
    for file in objects_of(files, sop_classes):
        header = read_header(file, ["SOPClassUID", "SOPInstanceUID", "FrameOfReferenceUID", *required, *optional])
        try:
            if header is None or any(name not in header for name in ("SOPInstanceUID", *required)):
                raise LabelError(damaged)
            if header.get("SOPClassUID") not in sop_classes or header.SOPInstanceUID in seen:
                continue
            job, owners = job_of(file, header), None
            seen.add(header.SOPInstanceUID)
        except (LabelError, AttributeError, TypeError, ValueError):
            job, owners = partial(failed, damaged), series_beside(raw, file, scans)
        if job is not None:
            owners = known.of(_owner(header)) if owners is None else owners
            n_stray += not owners
            for uid in owners:
                jobs.setdefault(uid, []).append(job)
    if n_stray:
        _logger.warning("%d DICOM objects with findings (%s) belong to no accepted scan", n_stray, kind)
    return jobs


def objects_of(files: Sequence[Path], sop_classes: Sequence[str]) -> Iterator[Path]:
    """Files and members of archives whose first bytes name one of the classes; a slice costs one short read."""
    wanted = [uid.encode() for uid in sop_classes]
    for file in expand(files)[0]:
        try:
            if not (file.is_file() or archive_of(file)):  # opening a pipe would wait for ever
                continue
            with open_file(file) as stream:
                head = stream.read(HEAD_BYTES)
        except Exception:  # zipfile fails on damaged members in many ways
            continue
        is_dicom_file = head[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM" or head.startswith(GROUP_8_STARTS)
        if (is_dicom_file or file.suffix.lower() in DICOM_SUFFIXES) and any(uid in head for uid in wanted):
            yield file


def read_header(file: Path, tags: Sequence[str]) -> Any | None:
    """Some elements of a DICOM file as a ``pydicom.Dataset``; None where it cannot be read."""
    import pydicom

    try:
        with lenient_reading(), open_file(file) as stream:
            data = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(tags), force=True)
            _ = [element.value for element in data.iterall()]  # sequences are parsed when they are first looked at
    except Exception:  # pydicom fails on broken files in many ways
        return None
    return data


def _owner(header: Any) -> Owner:
    found: dict[int, set[str]] = {_SERIES: set(), _INSTANCE: set(), _FRAME: set()}
    for element in header.iterall():
        if (values := found.get(int(element.tag))) is not None and element.value:
            values.add(str(element.value))
    return Owner(frozenset(found[_SERIES]), frozenset(found[_INSTANCE]), frozenset(found[_FRAME]))
