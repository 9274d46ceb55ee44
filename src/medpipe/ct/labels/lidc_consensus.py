"""From the marks of up to four of LIDC's readers to nodules.

Marks of different readers that lie closer than the sum of their radii are one nodule, and its centre and diameter are
the means of theirs: the rule of LUNA16 (Setio et al., Medical Image Analysis 2017, section 2.2).
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import RATINGS, Finding, LabelError
from medpipe.ct.labels.lidc_marks import Mark, Measured, agreed_mask, measure
from medpipe.ct.params import ConsensusParams

MAX_READERS = 4

MAX_OUTLINED = 1000
"""Most outlined marks of a series; LIDC's fullest scan has under 100."""

GROUND_GLASS_BELOW = 2.0
"""Mean texture rating below which a nodule counts as ground glass (1 is non-solid, 3 part-solid, 5 solid)."""

SOLID_FROM = 4.0
"""Mean texture rating from which a nodule counts as solid."""


def findings_of_marks(marks: Sequence[Mark], geometry: Geometry, params: ConsensusParams) -> list[Finding]:
    """Nodules by consensus, and everything else that was marked as irrelevant; nodules first, then by place.

    Args:
        marks: Of one series.
        geometry: Grid of the series as it lies in the files.
        params: How many readers make a nodule, from which size, and which of its voxels.

    Raises:
        LabelError: If a mark does not fit the scan.
    """
    if sum(mark.outlined for mark in marks) > MAX_OUTLINED:
        raise LabelError(f"The series has more than {MAX_OUTLINED} outlined marks.")
    measured = [measure(mark, geometry) for mark in marks]
    found = [_nodule(group, params) for group in group_marks([item for item in measured if item.mark.outlined])]
    found += [_point(item) for item in measured if not item.mark.outlined]
    return sorted(found, key=lambda finding: (finding.kind != "nodule", *reversed(finding.centre_xyz_mm)))


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


def _nodule(group: Sequence[Measured], params: ConsensusParams) -> Finding:
    diameter_mm = float(np.mean([item.diameter_mm for item in group]))
    agreed = len(group) >= params.min_readers and diameter_mm >= params.min_diameter_mm
    ratings = _mean_ratings([item.mark for item in group])
    x, y, z = np.mean([item.centre_xyz_mm for item in group], axis=0).tolist()
    return Finding(
        centre_xyz_mm=(x, y, z),
        kind="nodule" if agreed else "irrelevant",
        diameter_mm=diameter_mm,
        readers=len(group),
        texture=_texture_name(ratings["texture_rating"]) if "texture_rating" in ratings else None,
        ratings=ratings,
        mask=agreed_mask(group, params.mask_agreement),
    )


def _point(item: Measured) -> Finding:
    x, y, z = item.centre_xyz_mm.tolist()
    return Finding((x, y, z), "irrelevant", readers=1)


def _mean_ratings(marks: Sequence[Mark]) -> dict[str, float]:
    given = {name: [mark.ratings[name] for mark in marks if name in mark.ratings] for name in RATINGS}
    return {name: float(np.mean(ratings)) for name, ratings in given.items() if ratings}


def _texture_name(rating: float) -> str:
    if rating < GROUND_GLASS_BELOW:
        return "ground-glass"
    return "solid" if rating >= SOLID_FROM else "part-solid"
