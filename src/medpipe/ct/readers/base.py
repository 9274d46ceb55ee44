"""What every reader hands to intake: scans with their place in the world or the reason why not, and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medpipe.ct.geometry import Geometry

NODULE_COLUMNS = {
    "finding_id": "str",
    "series_uid": "str",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "diameter_mm": "float64",
    "kind": "str",
    "readers": "Int64",
    "malignancy": "float64",
    "texture": "str",
}
"""Columns of the findings table and their types; world coordinates are LPS millimetres."""


class ScanReadError(ValueError):
    """A scan's voxels cannot be read; the message is a sentence for the manifest."""


@dataclass(frozen=True)
class Rejection:
    """Why a scan is not used.

    Attributes:
        code: Short code for grouping, such as ``missing_slices``.
        reason: One sentence for a person, with the value found and the one expected.
    """

    code: str
    reason: str


@dataclass(frozen=True)
class ScanRef:
    """A series that was found.

    Attributes:
        series_uid: The series.
        patient_id: The patient; the series itself where no patient is known.
        source: Kind of the data set: "luna16", "lidc" or "dicom".
        path: Relative to the raw folder, with forward slashes: the ``.mhd`` file or the folder of the slices.
        geometry: The grid as it lies in the files; None where it could not be worked out.
        kernel: Reconstruction kernel, where it is known.
        rejection: None while nothing speaks against the scan.
        samples: A few files of the series, relative like ``path``, to look into before it is accepted.
    """

    series_uid: str
    patient_id: str
    source: str
    path: str
    geometry: Geometry | None = None
    kernel: str | None = None
    rejection: Rejection | None = None
    samples: tuple[str, ...] = ()


def findings_table(rows: Sequence[Mapping[Any, object]]) -> pd.DataFrame:
    """Findings with the columns and types of ``NODULE_COLUMNS``; ids number each series' findings in their order.

    Args:
        rows: One mapping a finding; missing columns are null, ``finding_id`` is made here.
    """
    table = pd.DataFrame(rows, columns=list(NODULE_COLUMNS))
    number = table.groupby("series_uid").cumcount() + 1 if len(table) else pd.Series(dtype="int64")
    table["finding_id"] = table["series_uid"].astype("str") + "/" + number.astype("str").str.zfill(3)
    return table.astype(NODULE_COLUMNS)


def empty_findings() -> pd.DataFrame:
    """A findings table without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in NODULE_COLUMNS.items()})
