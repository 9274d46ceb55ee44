"""Tables of findings with world coordinates: LUNA16's two, and ``findings.csv`` for the user's own data.

``annotations.csv`` and ``annotations_excluded.csv`` (https://luna16.grand-challenge.org/Data/) are nodules and
irrelevant findings of scans from LUNA16's files or the DICOM series they were made of. ``findings.csv`` is for any
scan: ``series_uid,x_mm,y_mm,z_mm,kind``, and where they are known ``diameter_mm``, ``readers``, ``texture``, ``label``
and LIDC's ratings.
"""

import logging
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import RATINGS, Finding, LabelJob
from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers.base import ScanRef
from medpipe.ct.readers.image_names import series_uid_of
from medpipe.ct.readers.luna16 import listed_series
from medpipe.ct.readers.tables import read_csv

ANNOTATION_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
ANNOTATIONS = {"annotations.csv": "nodule", "annotations_excluded.csv": "irrelevant"}
"""LUNA16's tables and the kind of their findings."""

ANNOTATED_SOURCES = frozenset({"luna16", "dicom"})
"""Sources of scans that LUNA16's tables are for; series with LIDC's own marks ("lidc") have their findings already."""

FINDINGS = "findings.csv"
FINDING_COLUMNS = ("series_uid", "x_mm", "y_mm", "z_mm", "kind")
OPTIONAL_NUMBERS = ("diameter_mm", "readers", *RATINGS)
KINDS = ("nodule", "irrelevant")
TEXTURES = ("solid", "part-solid", "ground-glass")

_logger = logging.getLogger(__name__)


def discover(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> dict[str, list[LabelJob]]:
    """One job for every scan that a table names, and none for those that LUNA16 lists as read without a finding.

    Args:
        raw: The raw folder.
        files: All files below it; tables are found by name, wherever they lie.
        scans: All scans found.
        params: Not looked at.

    Raises:
        InputError: If a table lacks a column or holds a value that it must not.
    """
    annotated = {scan.series_uid for scan in scans if scan.source in ANNOTATED_SOURCES}
    uids = {scan.series_uid for scan in scans}
    found: dict[str, dict[Hashable, Finding]] = defaultdict(dict)
    n_stray = 0
    if any(file.name in ANNOTATIONS for file in files):
        found |= {uid: {} for uid in listed_series(files) & annotated}
    for uid, finding in annotations(files):
        if uid in annotated:
            found[uid].setdefault(_key(finding), finding)
    for uid, finding in own_findings(files):
        if (uid := uid if uid in uids else series_uid_of(uid)) in uids:
            found[uid].setdefault(_key(finding), finding)
        else:
            n_stray += 1
    if n_stray:
        _logger.warning("%d findings of %s belong to no accepted scan", n_stray, FINDINGS)
    return {uid: [partial(_given, tuple(findings.values()))] if findings else [] for uid, findings in found.items()}


def annotations(files: Sequence[Path]) -> Iterator[tuple[str, Finding]]:
    """Series and finding of every row of LUNA16's tables; its diameter -1 stands for one that was not measured.

    Raises:
        InputError: As in `discover`.
    """
    for file in files:
        if (kind := ANNOTATIONS.get(file.name)) is None:
            continue
        table = read_csv(file, ANNOTATION_COLUMNS, text=("seriesuid",))
        _check_numbers(file, table, ANNOTATION_COLUMNS[1:])
        for uid, x, y, z, diameter_mm in table[list(ANNOTATION_COLUMNS)].itertuples(index=False, name=None):
            yield str(uid), Finding((x, y, z), kind, diameter_mm if diameter_mm > 0 else None)


def own_findings(files: Sequence[Path]) -> Iterator[tuple[str, Finding]]:
    """Series and finding of every row of ``findings.csv``.

    Raises:
        InputError: As in `discover`.
    """
    for file in files:
        if file.name != FINDINGS:
            continue
        table = read_csv(file, FINDING_COLUMNS, ("finding_id", "series_uid", "kind", "texture", "label"))
        _check_numbers(file, table, FINDING_COLUMNS[1:4])
        _check_numbers(file, table, [name for name in OPTIONAL_NUMBERS if name in table], empty_is_fine=True)
        _check_words(file, table, "kind", KINDS)
        if "texture" in table:
            _check_words(file, table.dropna(subset="texture"), "texture", TEXTURES)
        for row in table.to_dict("records"):
            yield str(row["series_uid"]), _finding({str(key): value for key, value in row.items()})


def _finding(row: Mapping[str, Any]) -> Finding:
    given = {key: value for key, value in row.items() if not pd.isna(value)}
    diameter_mm = float(given.get("diameter_mm", 0.0))
    return Finding(
        centre_xyz_mm=(float(given["x_mm"]), float(given["y_mm"]), float(given["z_mm"])),
        kind=given["kind"],
        diameter_mm=diameter_mm if diameter_mm > 0 else None,
        readers=int(given["readers"]) if "readers" in given else None,
        texture=given.get("texture"),
        label=given.get("label"),
        ratings={name: float(given[name]) for name in RATINGS if name in given},
    )


def _key(finding: Finding) -> Hashable:
    """What two rows of one finding have in common: everything."""
    known = (finding.kind, finding.diameter_mm, finding.readers, finding.texture, finding.label)
    return finding.centre_xyz_mm, known, tuple(finding.ratings.items())


def _given(findings: Sequence[Finding], geometry: Geometry) -> list[Finding]:
    return list(findings)


def _check_numbers(file: Path, table: pd.DataFrame, columns: Sequence[str], *, empty_is_fine: bool = False) -> None:
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            bad = table.loc[pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna(), name]
            raise InputError(f"{file.name}: column {name!r} holds {bad.iloc[0]!r}, a number is expected")
        values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        bad_places = np.isinf(values) | (np.isnan(values) & (not empty_is_fine))
        if bad_places.any():
            row = int(np.argmax(bad_places)) + 2  # counted like an editor's lines, below the header
            raise InputError(
                f"{file.name}: column {name!r} holds {values[bad_places][0]} in line {row}, a number is expected"
            )


def _check_words(file: Path, table: pd.DataFrame, column: str, words: Sequence[str]) -> None:
    bad = table.loc[~table[column].isin(words), column]
    if len(bad):
        raise InputError(f"{file.name}: column {column!r} holds {bad.iloc[0]!r}, one of {', '.join(words)} is expected")
