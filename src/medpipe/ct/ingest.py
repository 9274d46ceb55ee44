"""Intake: a raw folder becomes three tables. Every scan ends accepted, or rejected with a code and a sentence."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.ct.gate import check_geometry, check_hounsfield
from medpipe.ct.geometry import Geometry
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers import Rejection, ScanReadError, ScanRef, dicom, lidc, luna16, read_samples
from medpipe.ct.readers.base import findings_table
from medpipe.ct.resample import canonical_axes
from medpipe.ct.splits import split_patients
from medpipe.ct.store import is_storable_uid

SCAN_COLUMNS = {
    "series_uid": "str",
    "patient_id": "str",
    "source": "str",
    "path": "str",
    "n_slices": "Int64",
    "n_rows": "Int64",
    "n_columns": "Int64",
    "spacing_z_mm": "float64",
    "spacing_y_mm": "float64",
    "spacing_x_mm": "float64",
    "kernel": "str",
    "accepted": "bool",
    "rejection_code": "str",
    "rejection_reason": "str",
}
"""Columns of the manifest; sizes and spacings are along the patient's axes, null where they are not known."""

SCANS_A_WORKER = 16
"""Fewer scans than this are looked at faster than worker processes start."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intake:
    """What intake found.

    Attributes:
        scans: One row a series, accepted or not (``SCAN_COLUMNS``).
        nodules: Findings of the accepted scans (``medpipe.ct.readers.base.NODULE_COLUMNS``).
        splits: ``patient_id`` and ``split`` of every patient with an accepted scan.
        outside: Findings of accepted scans that lie outside their volume, and are not in ``nodules``.
    """

    scans: pd.DataFrame
    nodules: pd.DataFrame
    splits: pd.DataFrame
    outside: pd.DataFrame


def ingest(raw: Path | str, params: IngestCTParams) -> Intake:
    """Finds the scans below a folder, checks them, reads their findings and splits the patients.

    LUNA16's MetaImages, DICOM series and LIDC's marks may lie side by side; each is told by its files.

    Args:
        raw: Folder of raw data.
        params: Gate, consensus of readers, split.

    Raises:
        InputError: If the folder does not exist or holds no scan, or a table of findings is damaged.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise InputError(f"{raw}: the folder of raw scans does not exist; check `ct_source.folder`")
    files = list(_walk(raw))
    scans = luna16.discover(raw, files) + dicom.discover(raw, files, params.gate, params.n_jobs)
    if not scans:
        raise InputError(
            f"{raw}: no scan among {len(files)} files; MetaImages (*.mhd) as in LUNA16, or DICOM series as in "
            "LIDC-IDRI, in any subfolders, are looked for"
        )
    marks = lidc.read_marks(files, [scan.series_uid for scan in scans if scan.source == dicom.SOURCE])
    scans = [replace(scan, source=lidc.SOURCE) if scan.series_uid in marks else scan for scan in scans]
    scans = _gate_all(raw, _without_repeats(scans), params)
    geometries = {scan.series_uid: scan.geometry for scan in scans if scan.geometry and not scan.rejection}
    used_marks = {uid: marks[uid] for uid in geometries if uid in marks}
    found = [
        luna16.findings(files).pipe(_of_sources, scans, {luna16.SOURCE, dicom.SOURCE}),
        dicom.findings(files).pipe(_of_sources, scans, {dicom.SOURCE}),
        lidc.findings(used_marks, geometries, params.consensus),
    ]
    nodules, outside = _within_volume(pd.concat(found, ignore_index=True), geometries)
    table = scan_table(scans)
    splits = split_patients(table.loc[table["accepted"], "patient_id"], params.split)
    _report(table, nodules, outside, luna16.missing_series(files, set(table["series_uid"])))
    return Intake(table, nodules, splits, outside)


def _walk(raw: Path) -> Iterator[Path]:
    """All files below a folder in a fixed order, hidden ones left out."""
    for root, folders, names in os.walk(raw):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _without_repeats(scans: Sequence[ScanRef]) -> list[ScanRef]:
    """Rejects the second appearance of a series, so that one scan is never on two sides of a split.

    LUNA16 is a part of LIDC: a folder that holds both holds many scans twice.
    """
    seen: dict[str, str] = {}
    result = []
    for scan in scans:
        if (first := seen.setdefault(scan.series_uid, scan.path)) != scan.path:
            reason = f"The series was already found at {first}."
            scan = replace(scan, rejection=Rejection("duplicate_series", reason))
        result.append(scan)
    return result


def _gate_all(raw: Path, scans: Sequence[ScanRef], params: IngestCTParams) -> list[ScanRef]:
    n_jobs = params.n_jobs if len(scans) >= SCANS_A_WORKER else 1
    check = partial(gate, raw, params=params.gate)
    return list(parallel(check, scans, n_jobs=n_jobs, description="checking scans"))


def gate(raw: Path, scan: ScanRef, params: GateParams) -> ScanRef:
    """The scan, with a rejection where it has none yet but something speaks against it."""
    if scan.rejection is not None or scan.geometry is None:
        return scan
    if not is_storable_uid(scan.series_uid):
        reason = "The series uid is not made of at most 128 letters, digits, '_', '.' and '-'."
        return replace(scan, rejection=Rejection("bad_uid", reason))
    rejection = check_geometry(scan.geometry, params)
    if rejection is None:
        try:
            rejection = check_hounsfield(read_samples(raw, scan))
        except ScanReadError as error:
            rejection = Rejection("unreadable", str(error))
    return replace(scan, rejection=rejection)


def scan_table(scans: Sequence[ScanRef]) -> pd.DataFrame:
    """The manifest: one row a scan, columns and types of ``SCAN_COLUMNS``."""
    rows = [_scan_row(scan) for scan in scans]
    return pd.DataFrame(rows, columns=list(SCAN_COLUMNS)).astype(SCAN_COLUMNS)


def _scan_row(scan: ScanRef) -> dict[str, object]:
    row: dict[str, object] = {
        "series_uid": scan.series_uid,
        "patient_id": scan.patient_id,
        "source": scan.source,
        "path": scan.path,
        "kernel": scan.kernel,
        "accepted": scan.rejection is None,
    }
    if scan.geometry is not None:
        canonical, _, _ = canonical_axes(scan.geometry)
        row |= zip(("n_slices", "n_rows", "n_columns"), canonical.shape_zyx, strict=True)
        row |= zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), canonical.spacing_zyx_mm, strict=True)
    if scan.rejection is not None:
        row |= {"rejection_code": scan.rejection.code, "rejection_reason": scan.rejection.reason}
    return row


def _of_sources(findings: pd.DataFrame, scans: Sequence[ScanRef], sources: set[str]) -> pd.DataFrame:
    uids = {scan.series_uid for scan in scans if scan.source in sources and scan.rejection is None}
    return findings[findings["series_uid"].isin(uids)]


def _within_volume(findings: pd.DataFrame, geometries: dict[str, Geometry]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Findings inside their volumes, renumbered, and those outside."""
    inside = pd.Series(False, index=findings.index)
    for uid, part in findings.groupby("series_uid"):
        inside[part.index] = geometries[str(uid)].contains(part[["x_mm", "y_mm", "z_mm"]].to_numpy())
    kept = findings[inside].sort_values("series_uid", kind="stable", ignore_index=True)
    return findings_table(kept.to_dict("records")), findings[~inside].reset_index(drop=True)


def _report(scans: pd.DataFrame, nodules: pd.DataFrame, outside: pd.DataFrame, n_missing: int) -> None:
    """Numbers for the log; patient ids stay out of it."""
    count = int((nodules["kind"] == "nodule").sum())
    _logger.info(
        "%d of %d scans accepted, %d nodules and %d irrelevant findings",
        int(scans["accepted"].sum()), len(scans), count, len(nodules) - count,
    )  # fmt: skip
    for code, part in scans[~scans["accepted"]].groupby("rejection_code"):
        _logger.warning("%d scans rejected (%s), e.g. %s", len(part), code, part["rejection_reason"].iloc[0])
    for uid, part in outside.groupby("series_uid"):
        places = ", ".join(f"({x:.0f}, {y:.0f}, {z:.0f})" for x, y, z in _places(part))
        _logger.warning("series %s: %d findings lie outside the volume: %s mm", uid, len(part), places)
    if n_missing:
        _logger.info("%d series of seriesuids.csv are not in the folder", n_missing)


def _places(findings: pd.DataFrame) -> list[tuple[float, float, float]]:
    return list(findings[["x_mm", "y_mm", "z_mm"]].itertuples(index=False, name=None))
