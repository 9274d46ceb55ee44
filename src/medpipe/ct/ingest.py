"""Intake: a raw folder becomes tables and masks. Every scan ends accepted, or rejected with a code and a sentence."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.ct.findings import LabelledScan, findings_table, label_scan
from medpipe.ct.gate import check_geometry, check_hounsfield
from medpipe.ct.identity import locate
from medpipe.ct.labels import find_label_source
from medpipe.ct.labels.base import LabelJob
from medpipe.ct.masks import MaskStore
from medpipe.ct.params import GateParams, IngestCTParams
from medpipe.ct.readers import Rejection, ScanReadError, ScanRef, find_reader, luna16
from medpipe.ct.resample import canonical_axes
from medpipe.ct.splits import split_patients
from medpipe.ct.store import is_storable_uid

SCAN_COLUMNS = {
    "series_uid": "str",
    "patient_id": "str",
    "source": "str",
    "n_slices": "Int64",
    "n_rows": "Int64",
    "n_columns": "Int64",
    "spacing_z_mm": "float64",
    "spacing_y_mm": "float64",
    "spacing_x_mm": "float64",
    "kernel": "str",
    "manufacturer": "str",
    "model": "str",
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
        nodules: Findings of the accepted scans (``medpipe.ct.findings.FINDING_COLUMNS``).
        splits: ``patient_id`` and ``split`` of every patient with an accepted scan.
        locations: Where each series lies and who it is of (``medpipe.ct.identity.LOCATION_COLUMNS``).
        masks: Masks of the findings.
        outside: How many findings of each accepted scan lie outside its volume, and are not in ``nodules``.
    """

    scans: pd.DataFrame
    nodules: pd.DataFrame
    splits: pd.DataFrame
    locations: pd.DataFrame
    masks: MaskStore
    outside: dict[str, int]


def ingest(
    raw: Path | str, params: IngestCTParams, masks_folder: Path | str, identity_folder: Path | str | None = None
) -> Intake:
    """Finds the scans below a folder, checks them, reads their findings and splits the patients.

    All kinds of data may lie side by side; each is told by its files.

    Args:
        raw: Folder of raw data.
        params: Readers, gate, labels, consensus of readers, pseudonyms, split.
        masks_folder: Where masks of findings are written; those of an earlier intake are replaced.
        identity_folder: Where the key of the pseudonyms is kept; None where none are needed.

    Raises:
        InputError: If the folder does not exist or holds no scan, or a table of findings is damaged.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise InputError(f"{raw}: the folder of raw scans does not exist; check `ct_source.folder`")
    files = list(_walk(raw))
    scans = _discover(raw, files, params)
    if not scans:
        raise InputError(
            f"{raw}: no scan among {len(files)} files; looked for by ingest_ct.readers: {', '.join(params.readers)}"
        )
    scans = _gate_all(raw, _without_repeats(scans), params)
    scans, jobs = _find_labels(raw, files, scans, params)
    locations = locate(scans, params.pseudonyms, identity_folder)
    uids = locations["series_uid"].tolist()
    labelled = _label_all(scans, uids, jobs, Path(masks_folder), params)
    scans = [labelled[uid].scan if uid in labelled else scan for uid, scan in zip(uids, scans, strict=True)]
    table = scan_table(scans).assign(series_uid=locations["series_uid"], patient_id=locations["patient_id"])
    nodules = findings_table([labelled[uid] for uid in sorted(labelled)])
    outside = {uid: found.n_outside for uid, found in labelled.items() if found.n_outside}
    splits = _split(locations[table["accepted"]], params)
    found_uids = {scan.series_uid for scan in scans}
    _report(table, nodules, outside, luna16.missing_series(files, found_uids))
    return Intake(table, nodules, splits, locations, MaskStore(masks_folder), outside)


def _walk(raw: Path) -> Iterator[Path]:
    """All files below a folder in a fixed order; hidden ones are left out, and pipes, which to open is to wait."""
    for root, folders, names in os.walk(raw):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        paths = (Path(root, name) for name in sorted(names) if not name.startswith("."))
        yield from (path for path in paths if path.is_file() or path.is_symlink())


def _discover(raw: Path, files: Sequence[Path], params: IngestCTParams) -> list[ScanRef]:
    return [
        _with_unicode_names(replace(scan, reader=name))
        for name in params.readers
        for scan in find_reader(name).discover(raw, files, params)
    ]


def _with_unicode_names(scan: ScanRef) -> ScanRef:
    """The scan, refused where it lies under a name that is not in UTF-8: no table can hold it."""
    fault = scan.rejection.file if scan.rejection else None
    names = (scan.series_uid, scan.patient_id, scan.path, *scan.samples, fault or "")
    if all(_unicode(name) == name for name in names):
        return scan
    uid, patient_id, path = map(_unicode, names[:3])
    reason = "The name of a file or folder of the scan is not in UTF-8; rename it."
    rejection = Rejection("unreadable", reason, path)
    return replace(scan, series_uid=uid, patient_id=patient_id, path=path, samples=(), rejection=rejection)


def _unicode(text: str) -> str:
    """The text with the bytes that are not in UTF-8, which Python keeps as surrogates, written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _without_repeats(scans: Sequence[ScanRef]) -> list[ScanRef]:
    """Rejects the second appearance of a series, so that one scan is never on two sides of a split.

    LUNA16 is a part of LIDC: a folder that holds both holds many scans twice.
    """
    seen: dict[str, int] = {}
    result = []
    for scan in scans:
        seen[scan.series_uid] = count = seen.get(scan.series_uid, 0) + 1
        if count > 1:
            rejection = Rejection("duplicate_series", "The series was already found elsewhere.", scan.path)
            scan = replace(scan, series_uid=f"{scan.series_uid}#{count}", rejection=rejection)
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
            rejection = check_hounsfield(find_reader(scan.reader).read_samples(raw, scan))
        except ScanReadError as error:
            rejection = Rejection(error.code, error.reason)
        except Exception as error:  # of a reader of the user's own, or of a library: it stops no other scan
            rejection = Rejection("unreadable", f"The voxels cannot be read ({type(error).__name__}).")
    return replace(scan, rejection=rejection)


def _find_labels(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> tuple[list[ScanRef], dict[str, list[LabelJob]]]:
    """The scans, named after the source of their labels where that has a name, and the label jobs of each series."""
    jobs: dict[str, list[LabelJob]] = {}
    result = list(scans)
    for name in params.labels.sources:
        source = find_label_source(name)
        usable = [scan for scan in result if scan.rejection is None]
        found = source.discover(raw, files, usable, params)
        for series_uid, more in found.items():
            jobs.setdefault(series_uid, []).extend(more)
        if title := getattr(source, "SOURCE", None):
            result = [replace(scan, source=title) if scan.series_uid in found else scan for scan in result]
    return result, jobs


def _label_all(
    scans: Sequence[ScanRef],
    uids: Sequence[str],
    jobs: dict[str, list[LabelJob]],
    masks_folder: Path,
    params: IngestCTParams,
) -> dict[str, LabelledScan]:
    """The accepted scans with their findings; their masks go to disk scan by scan."""
    masks_folder.mkdir(parents=True, exist_ok=True)
    for stale in masks_folder.glob("*.npz"):
        stale.unlink()
    items = [
        (scan, uid, jobs.get(scan.series_uid, []))
        for scan, uid in zip(scans, uids, strict=True)
        if scan.rejection is None
    ]
    n_jobs = params.n_jobs if len(items) >= SCANS_A_WORKER else 1
    work = partial(label_scan, masks_folder=masks_folder)
    labelled = parallel(work, items, n_jobs=n_jobs, description="reading findings")
    return {found.series_uid: found for found in labelled}


def scan_table(scans: Sequence[ScanRef]) -> pd.DataFrame:
    """The manifest: one row a scan, columns and types of ``SCAN_COLUMNS``, with the uids of the source."""
    rows = [_scan_row(scan) for scan in scans]
    return pd.DataFrame(rows, columns=list(SCAN_COLUMNS)).astype(SCAN_COLUMNS)


def _scan_row(scan: ScanRef) -> dict[str, object]:
    row: dict[str, object] = {
        "series_uid": scan.series_uid,
        "patient_id": scan.patient_id,
        "source": scan.source,
        "kernel": scan.kernel,
        "manufacturer": scan.manufacturer,
        "model": scan.model,
        "accepted": scan.rejection is None,
    }
    if scan.geometry is not None:
        canonical, _, _ = canonical_axes(scan.geometry)
        row |= zip(("n_slices", "n_rows", "n_columns"), canonical.shape_zyx, strict=True)
        row |= zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), canonical.spacing_zyx_mm, strict=True)
    if scan.rejection is not None:
        row |= {"rejection_code": scan.rejection.code, "rejection_reason": scan.rejection.reason}
    return row


def _split(accepted: pd.DataFrame, params: IngestCTParams) -> pd.DataFrame:
    """Splits by the source's patient ids, so that pseudonyms and their key move nobody; told by pseudonym."""
    splits = split_patients(accepted["source_patient_id"], params.split)
    names = accepted[["source_patient_id", "patient_id"]].drop_duplicates()
    joined = names.merge(splits, left_on="source_patient_id", right_on="patient_id", suffixes=("", "_of_source"))
    return joined[["patient_id", "split"]].sort_values("patient_id", ignore_index=True).astype("str")


def _report(scans: pd.DataFrame, nodules: pd.DataFrame, outside: dict[str, int], n_missing: int) -> None:
    """Numbers for the log; identities stay out of it."""
    count = int((nodules["kind"] == "nodule").sum())
    _logger.info(
        "%d of %d scans accepted, %d nodules and %d irrelevant findings, %d of them outlined",
        int(scans["accepted"].sum()), len(scans), count, len(nodules) - count, int(nodules["has_mask"].sum()),
    )  # fmt: skip
    if bare := int((scans["accepted"] & ~scans["series_uid"].isin(nodules["series_uid"])).sum()):
        _logger.info("%d accepted scans have no finding and count as healthy", bare)
    for code, part in scans[~scans["accepted"]].groupby("rejection_code"):
        _logger.warning("rejected as %s: %d, e.g. %s", code, len(part), part["rejection_reason"].iloc[0])
    for uid, number in outside.items():
        _logger.warning("series %s: %d findings lie outside the volume and are left out", uid, number)
    if n_missing:
        _logger.info("%d series of seriesuids.csv are not in the folder", n_missing)
