"""The findings of a scan, from its label jobs to the rows of ``ct_nodules`` and the masks on disk."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medpipe.ct.labels.base import RATINGS, Finding, LabelError, LabelJob
from medpipe.ct.labels.joined import join_findings
from medpipe.ct.masks import write_masks
from medpipe.ct.readers.base import Rejection, ScanRef

FINDING_COLUMNS = {
    "finding_id": "str",
    "series_uid": "str",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "diameter_mm": "float64",
    "kind": "str",
    "readers": "Int64",
    "texture": "str",
    "label": "str",
    **dict.fromkeys(RATINGS, "float64"),
    "has_mask": "bool",
}
"""Columns of ``ct_nodules``; world coordinates are LPS millimetres. The last part of ``finding_id`` is the number of
the finding in its scan, and its value in the scan's label array."""


_VALUE = re.compile(r"value \d+")  # what the source of label maps names its findings


@dataclass(frozen=True)
class LabelledScan:
    """A scan and what was marked in it.

    Attributes:
        series_uid: As it appears in the tables: the pseudonym, where there is one.
        scan: The scan, rejected if its labels cannot be read.
        findings: Those inside the volume, without their masks' voxels.
        has_mask: For each finding, whether its mask was written.
        n_outside: How many lay outside the volume.
    """

    series_uid: str
    scan: ScanRef
    findings: tuple[Finding, ...] = ()
    has_mask: tuple[bool, ...] = ()
    n_outside: int = 0


def label_scan(item: tuple[ScanRef, str, Sequence[LabelJob]], masks_folder: Path) -> LabelledScan:
    """Runs the label jobs of a scan and writes its masks.

    Args:
        item: The scan, its uid in the tables, its jobs.
        masks_folder: Of the mask store.
    """
    scan, series_uid, jobs = item
    assert scan.geometry is not None
    try:
        findings = join_findings([finding for job in jobs for finding in job(scan.geometry)], scan.geometry)
    except LabelError as error:
        return _rejected(scan, series_uid, str(error))
    except Exception as error:  # of a source of the user's own, or of a library: it stops no other scan
        return _rejected(scan, series_uid, f"The labels cannot be read ({type(error).__name__}).")
    inside = [bool(scan.geometry.contains([finding.centre_xyz_mm])[0]) for finding in findings]
    kept = [finding for finding, is_inside in zip(findings, inside, strict=True) if is_inside]
    masks = {number: finding.mask for number, finding in enumerate(kept, start=1) if finding.mask is not None}
    named = series_uid == scan.series_uid
    write_masks(masks_folder, series_uid, scan.geometry, masks)
    return LabelledScan(
        series_uid,
        scan,
        tuple(replace(finding, mask=None, label=_told(finding.label, named)) for finding in kept),
        tuple(finding.mask is not None for finding in kept),
        len(findings) - len(kept),
    )


def _told(label: str | None, named: bool) -> str | None:
    """What people call a region may name the patient that a pseudonym hides; the value of a label map does not."""
    return label if named or (label is not None and _VALUE.fullmatch(label)) else None


def _rejected(scan: ScanRef, series_uid: str, reason: str) -> LabelledScan:
    return LabelledScan(series_uid, replace(scan, rejection=Rejection("damaged_labels", reason)))


def findings_table(scans: Sequence[LabelledScan]) -> pd.DataFrame:
    """The findings of all scans with the columns and types of ``FINDING_COLUMNS``."""
    rows = [
        {
            "finding_id": f"{scan.series_uid}/{number:03d}",
            "series_uid": scan.series_uid,
            **dict(zip(("x_mm", "y_mm", "z_mm"), finding.centre_xyz_mm, strict=True)),
            "diameter_mm": finding.diameter_mm,
            "kind": finding.kind,
            "readers": finding.readers,
            "texture": finding.texture,
            "label": finding.label,
            **finding.ratings,
            "has_mask": has_mask,
        }
        for scan in scans
        for number, (finding, has_mask) in enumerate(zip(scan.findings, scan.has_mask, strict=True), start=1)
    ]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).astype(FINDING_COLUMNS)


def finding_numbers(finding_ids: "pd.Series[str]") -> "pd.Series[int]":
    """The number of each finding in its scan: its value in the scan's label array and its key among the masks."""
    return finding_ids.str.extract(r"(\d+)$", expand=False).astype("int64")
