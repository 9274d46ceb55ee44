"""Which lung is the right and which the left, where the two touch as well (Hu et al., IEEE TMI 2001)."""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from medpipe.ct.components import bounding_box, label, lookup
from medpipe.ct.morphology import within

BoolArray = NDArray[np.bool_]

RIGHT, LEFT = 1, 2

MIN_LUNG_SHARE = 0.08
"""Smallest part of the found air that a lung makes up; collapsed lungs reach a tenth of the other."""

SPLIT_MM = (0.0, 3.0, 6.0, 9.0, 12.0, 15.0)
"""How far lungs that touch are shrunk until they fall into two; the junctions between them are thin."""

SPLIT_APART_MM = 40.0
"""Least distance of the two lungs' middles from left to right."""


def split(lungs: BoolArray, body: BoolArray, spacing_zyx_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Right lung 1, left lung 2 (z, y, x): lungs that touch are shrunk until they part, then grown back.

    Args:
        lungs: Air of the lungs, canonical axes (x to the patient's left).
        body: The patient, same shape; where there is one lung only, its side is that of the body it lies in.
        spacing_zyx_mm: Of both.
    """
    sides = np.zeros(lungs.shape, dtype=np.uint8)
    box = bounding_box(lungs)
    if box is None:
        return sides
    part = np.ascontiguousarray(lungs[box])
    for shrunk_mm in SPLIT_MM:
        core = ~within(~part, shrunk_mm, spacing_zyx_mm) if shrunk_mm else part
        markers = _two_lungs(core, spacing_zyx_mm)
        if markers is not None:
            sides[box] = _with_the_rest(_spread(markers, part), part)
            return sides
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    middle = (columns[0] + columns[-1]) / 2
    sides[lungs] = RIGHT if np.nonzero(lungs)[2].mean() < middle else LEFT
    return sides


def _two_lungs(core: BoolArray, spacing_zyx_mm: Sequence[float]) -> NDArray[np.uint8] | None:
    """The two largest pieces as 1 (right) and 2 (left); None where they are not two lungs side by side."""
    labels, sizes = label(core)
    if len(sizes) < 3:
        return None
    first, second = np.argsort(sizes)[:-3:-1]
    if sizes[second] < MIN_LUNG_SHARE * sizes.sum():
        return None
    columns = np.arange(labels.shape[2])
    middles = [float(np.average(columns, weights=(labels == one).sum(axis=(0, 1)))) for one in (first, second)]
    if abs(middles[0] - middles[1]) * spacing_zyx_mm[2] < SPLIT_APART_MM:
        return None
    side_of = np.zeros(len(sizes), dtype=np.uint8)
    side_of[first], side_of[second] = (RIGHT, LEFT) if middles[0] < middles[1] else (LEFT, RIGHT)
    return np.asarray(lookup(side_of, labels))


def _with_the_rest(sides: NDArray[np.uint8], lungs: BoolArray) -> NDArray[np.uint8]:
    """Parts that hang on neither lung (a lobe behind a fissure) go to the side they lie on."""
    rest, sizes = label(lungs & (sides == 0))
    columns = np.arange(sides.shape[2])
    middles = [np.average(columns, weights=(sides == side).sum(axis=(0, 1))) for side in (RIGHT, LEFT)]
    for number in range(1, len(sizes)):
        middle = np.average(columns, weights=(rest == number).sum(axis=(0, 1)))
        sides[rest == number] = RIGHT if middle < sum(middles) / 2 else LEFT
    return sides


@numba.njit(cache=True, nogil=True)
def _spread(markers, inside):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Markers grown inside a mask, voxel by voxel at the same pace, until they meet."""
    depth, height, width = markers.shape
    result = markers.copy()
    flat, allowed = result.reshape(-1), inside.reshape(-1)
    queue = np.empty(flat.size, np.int64)
    size = 0
    for index in range(flat.size):
        if flat[index]:
            queue[size] = index
            size += 1
    plane = height * width
    first = 0
    while first < size:
        here = queue[first]
        first += 1
        z, y, x = here // plane, here % plane // width, here % width
        for step in range(6):
            if step == 0 and z > 0:
                there = here - plane
            elif step == 1 and z < depth - 1:
                there = here + plane
            elif step == 2 and y > 0:
                there = here - width
            elif step == 3 and y < height - 1:
                there = here + width
            elif step == 4 and x > 0:
                there = here - 1
            elif step == 5 and x < width - 1:
                there = here + 1
            else:
                continue
            if allowed[there] and flat[there] == 0:
                flat[there] = flat[here]
                queue[size] = there
                size += 1
    return result
