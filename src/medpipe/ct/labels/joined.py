"""One lesion told by several sources is one finding: a row of a table and its outline, or one row in two tables."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding

SAME_PLACE_MM = 0.05
"""Rows of two tables that are no farther apart are of one lesion; tables are written with few digits."""

MOST_SIZE_RATIO = 2.0
"""A mask whose volume-equivalent diameter differs more from the measured one outlines something else, as a lung that a
nodule lies in."""


def join_findings(findings: Sequence[Finding], geometry: Geometry) -> list[Finding]:
    """Findings of a scan with those of one lesion made one; what one source does not know is taken from the other.

    Without masks, findings of one kind are the same where their centres are and neither's diameter contradicts the
    other's. One with a mask is the same as the only one without that has its centre inside it, if their sizes agree;
    centre and diameter are then those of the latter, which somebody measured.

    Args:
        findings: Of all sources.
        geometry: Grid of the scan as it lies in the files.
    """
    bare = _without_repeats([finding for finding in findings if finding.mask is None])
    outlined = [finding for finding in findings if finding.mask is not None]
    owners = [[index for index, one in enumerate(bare) if _outlines(mask, one, geometry)] for mask in outlined]
    partners = [inside[0] if len(inside) == 1 else None for inside in owners]
    joined = {}
    for mask, partner in zip(outlined, partners, strict=True):
        if partner is not None and partner not in joined:
            joined[partner] = mask
    named = [_filled(one, joined[index]) if index in joined else one for index, one in enumerate(bare)]
    taken = {id(mask) for mask in joined.values()}
    return [*named, *(mask for mask in outlined if id(mask) not in taken)]


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        places = np.asarray([other.centre_xyz_mm for other in kept]).reshape(-1, 3)
        near = np.linalg.norm(places - finding.centre_xyz_mm, axis=1) <= SAME_PLACE_MM
        same = [index for index in np.flatnonzero(near) if _agree(kept[index], finding)]
        if same:
            kept[same[0]] = _filled(kept[same[0]], finding)
        else:
            kept.append(finding)
    return kept


def _agree(one: Finding, other: Finding) -> bool:
    if one.kind != other.kind:
        return False
    known = one.diameter_mm is not None and other.diameter_mm is not None
    return not known or abs((one.diameter_mm or 0.0) - (other.diameter_mm or 0.0)) <= SAME_PLACE_MM


def _outlines(outlined: Finding, one: Finding, geometry: Geometry) -> bool:
    assert outlined.mask is not None
    if one.diameter_mm is None or outlined.diameter_mm is None:
        return False
    ratio = outlined.diameter_mm / one.diameter_mm
    if not 1 / MOST_SIZE_RATIO <= ratio <= MOST_SIZE_RATIO:
        return False
    place = np.rint(geometry.to_voxel([one.centre_xyz_mm])[0]).astype(int) - outlined.mask.start_zyx
    inside = bool((place >= 0).all() and (place < outlined.mask.voxels.shape).all())
    return inside and bool(outlined.mask.voxels[tuple(place)])


def _filled(one: Finding, other: Finding) -> Finding:
    """``one`` with what only ``other`` knows."""
    names = ("diameter_mm", "readers", "texture", "label", "mask")
    missing = {name: getattr(other, name) for name in names if getattr(one, name) is None}
    return replace(one, ratings={**other.ratings, **one.ratings}, **missing)
