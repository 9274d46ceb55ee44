"""Writes the findings of scans for other programs, beside what leads back to the source images."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.atomic import atomic_path, remove_leftovers
from medpipe.core.progress import track
from medpipe.ct.geometry import Geometry
from medpipe.ct.masks import MaskStore
from medpipe.ct.readers import ScanReadError
from medpipe.ct.straighten import upright_grid
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.findings.algorithm import Algorithm
from medpipe.nodules.findings.export.folder import TABLE, FindingsFolder
from medpipe.nodules.findings.export.grid import source_labels
from medpipe.nodules.findings.export.nifti import SUFFIX, write_label_map
from medpipe.nodules.findings.export.segmentation import segmentation
from medpipe.nodules.findings.export.source import (
    DICOM_READER,
    NoStudyError,
    SourceImages,
    SourceScan,
    open_source,
    read_images,
)
from medpipe.nodules.findings.export.structured_report import structured_report

SCANS = "scans.csv"
LABEL_MAP_ENDING = f"_seg{SUFFIX}"
"""Intake takes a label map of this name for one of the series that it is named after."""

SEGMENTATION = "segmentation.dcm"
REPORT = "report.dcm"

EXPORT_DTYPES = {
    "series_uid": "str",
    "n_findings": "Int64",
    "label_map": "str",
    "segmentation": "str",
    "report": "str",
    "note": "str",
}
"""Columns of the table of what was written, one row a scan: files relative to the folder, missing where there is none,
and the reason."""

_SOURCE_COLUMNS = ["source_series_uid", "slice", "row", "column", "sop_instance_uid", "frame"]

_logger = logging.getLogger(__name__)


@dataclass
class _Written:
    """What became of one scan."""

    table: pd.DataFrame
    files: dict[str, Path]
    notes: list[str]


def write_findings(
    raw: Path,
    locations: pd.DataFrame,
    series_uids: Sequence[str],
    instances: pd.DataFrame,
    masks: MaskStore,
    algorithm: Algorithm,
    folder: Path,
    unread: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, FindingsFolder]:
    """Writes one CSV of all findings and, in a folder a scan, a label map and the DICOM objects.

    The DICOM objects carry the patient and the study of their source, as files that go back to where it came from
    must: the folder is as confidential as the raw data. A scan whose files are gone or broken stops no other.

    Args:
        raw: The raw folder.
        locations: Where each series lies (``medpipe.ct.identity.LOCATION_COLUMNS``).
        series_uids: The scans that were searched.
        instances: Their findings (``medpipe.nodules.findings.instances.INSTANCE_DTYPES``).
        masks: Their masks, by mask_number.
        algorithm: What made them.
        folder: Where to write.
        unread: Scans that were not searched: columns series_uid and reason. They are listed with it.

    Returns:
        What was written (``EXPORT_DTYPES``; also as a second CSV), and the folder. The CSV of the findings has all
        columns of the instances, and for each centre the voxel of the source (slice, row, column; 0-based), the uid of
        the DICOM image that shows it and, of a multi-frame image, the frame (1-based).
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    by_uid = {str(row["series_uid"]): row for row in locations.to_dict("records")}
    tables, rows = [instances.iloc[:0].reindex(columns=[*instances.columns, *_SOURCE_COLUMNS])], []
    for uid in track(series_uids, "Writing findings"):
        findings = instances[instances["series_uid"] == uid].reset_index(drop=True)
        try:
            written = _write_scan(raw, by_uid[uid], findings, masks, algorithm, folder / uid)
        except ScanReadError as error:
            written = _Written(findings, {}, [f"The source cannot be read: {error.reason}"])
        tables.append(written.table)
        files = {name: path.relative_to(folder).as_posix() for name, path in written.files.items()}
        rows.append({"series_uid": uid, "n_findings": len(findings), **files, "note": " ".join(written.notes) or None})
    with atomic_path(folder / TABLE) as temporary:
        pd.concat([table for table in tables if len(table)] or tables, ignore_index=True).to_csv(temporary, index=False)
    if unread is not None:
        rows += [{"series_uid": uid, "note": f"Not searched: {why}"} for uid, why in unread.itertuples(index=False)]
    result = pd.DataFrame(rows, columns=list(EXPORT_DTYPES)).astype(EXPORT_DTYPES)
    with atomic_path(folder / SCANS) as temporary:
        result.to_csv(temporary, index=False)
    for note, part in result[result["note"].notna()].groupby("note"):
        _logger.info("%d scans: %s", len(part), note)
    return result, FindingsFolder(folder)


def _write_scan(
    raw: Path,
    location: Mapping[Any, Any],
    findings: pd.DataFrame,
    masks: MaskStore,
    algorithm: Algorithm,
    folder: Path,
) -> _Written:
    source = open_source(raw, location)
    uid = str(location["series_uid"])
    table = _with_source(findings, source, str(location["source_series_uid"]))
    stored = masks.read(uid)
    geometry = source.geometry
    labels = np.zeros(geometry.shape_zyx, np.uint16) if stored is None else source_labels(*stored, geometry)
    written = _Written(table, {"label_map": folder / f"{uid}{LABEL_MAP_ENDING}"}, [])
    for stale in (SEGMENTATION, REPORT):
        (folder / stale).unlink(missing_ok=True)
    if geometry.is_orthogonal:
        write_label_map(written.files["label_map"], labels, geometry)
    else:
        upright, _ = upright_grid(geometry)
        on_upright = np.zeros(upright.shape_zyx, np.uint16) if stored is None else source_labels(*stored, upright)
        write_label_map(written.files["label_map"], on_upright, upright)
        written.notes.append("The slices are stacked at a slant: the label map has the upright grid around them.")
    if location["reader"] != DICOM_READER:
        written.notes.append("The source is not DICOM: there is no study for DICOM objects to join.")
    elif not len(findings):
        written.notes.append("No finding: a DICOM segmentation or measurement report needs one.")
    else:
        _write_dicom(written, source, labels, findings, algorithm, folder)
    return written


def _with_source(findings: pd.DataFrame, source: SourceScan, series_uid: str) -> pd.DataFrame:
    """The findings with the place of their centres in the source."""
    world = findings[POSITION].to_numpy(np.float64)
    last = np.asarray(source.geometry.shape_zyx) - 1
    voxels = np.clip(np.rint(source.geometry.to_voxel(world)), 0, last).astype(int)
    slices = [source.slices[z] if source.slices else None for z in voxels[:, 0]]
    columns = (
        series_uid,
        *voxels.T,
        [None if found is None else found.file.sop_uid for found in slices],
        [found.frame + 1 if found is not None and found.file.n_frames > 1 else None for found in slices],
    )
    table = findings.assign(**dict(zip(_SOURCE_COLUMNS, columns, strict=True)))
    return table.astype({"sop_instance_uid": "str", "frame": "Int64"})


def _write_dicom(
    written: _Written,
    source: SourceScan,
    labels: NDArray[np.uint16],
    findings: pd.DataFrame,
    algorithm: Algorithm,
    folder: Path,
) -> None:
    try:
        objects = _dicom_objects(labels, findings, read_images(source.slices), source.geometry, algorithm)
        for name, (file, data) in objects.items():
            with atomic_path(folder / file) as temporary:
                data.save_as(temporary)
            written.files[name] = folder / file
    except NoStudyError as error:
        written.notes.append(f"No DICOM object could be written: {error}")
    except Exception as error:  # pydicom and highdicom fail on broken headers in many ways; one scan stops no other
        written.notes.append(f"No DICOM object could be written ({type(error).__name__}).")


def _dicom_objects(
    labels: NDArray[np.uint16],
    findings: pd.DataFrame,
    images: SourceImages,
    geometry: Geometry,
    algorithm: Algorithm,
) -> dict[str, tuple[str, Any]]:
    seg = segmentation(labels, findings, images, algorithm)
    report = structured_report(findings, labels, seg, images, geometry, algorithm)
    return ({} if seg is None else {"segmentation": (SEGMENTATION, seg)}) | {"report": (REPORT, report)}
