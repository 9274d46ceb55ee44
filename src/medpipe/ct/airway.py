"""The trachea and the main bronchi: tracked from the head downward, then grown until just before they leak.

Growing with a threshold that is raised as long as the volume stays that of an airway, after Mori et al., "Automated
anatomical labeling of the bronchial branch" (IEEE TMI 2000), section II.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BoolArray = NDArray[np.bool_]

LUMEN_BELOW_HU = -900
"""Air in an airway: a voxel of 3 mm that holds any wall lies above, and so does most of the lung."""

TRACHEA_MAX_MM2 = 900.0
"""Largest cross-section of a trachea: 27 mm in men (Breatnach et al., AJR 1984), with room for oblique cuts."""

TRACHEA_MIN_MM2 = 40.0
"""Smallest cross-section followed; the outer ring of coarse voxels holds wall and is not counted."""

TRACHEA_GROWTH = 1.6
"""Growth from one slice to the next at which the trachea has run into something else."""

TRACHEA_MIN_MM = 24.0
"""Length a trachea is followed before it is believed; the tip of a lung widens sooner."""

OFF_MIDDLE = 1 / 6
"""How far from the middle of the body a trachea may lie, as a fraction of the body's width."""

THRESHOLDS_HU = (-650, -700, -750, -800, -825, -850, -875, -900, -925, -950)
"""Tried from the top; the first one that does not leak gives the airway."""

BRONCHI_ML = 45.0
"""What may be found beyond the tracked trachea: carina, main and lobar bronchi (Weibel 1963: about 25 ml) and wall."""

BRONCHI_TIMES_TRACHEA = 2.0
"""The same as a multiple of the tracked trachea, whichever is less: children have small airways."""


def find_airway(array: NDArray[np.int16], body: BoolArray, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """The air of the trachea and the larger bronchi; empty where no trachea is in sight.

    Args:
        array: Hounsfield units on a grid of about 3 mm, canonical axes (z up, x to the patient's left).
        body: The patient with all that lies inside, same shape.
        spacing_zyx_mm: Of both.
    """
    lumen = (array < LUMEN_BELOW_HU) & body
    trachea = _trachea(lumen, body, spacing_zyx_mm)
    if not trachea.any():
        return trachea
    tracked = int(trachea.sum())
    voxel_ml = float(np.prod(spacing_zyx_mm)) / 1000
    limit = tracked + int(min(BRONCHI_ML / voxel_ml, BRONCHI_TIMES_TRACHEA * tracked))
    seeds = np.flatnonzero(trachea)
    for threshold in THRESHOLDS_HU:
        grown, leaked = _flood(array, body, seeds, threshold, limit)
        if not leaked:
            return np.asarray(grown | trachea)
    return trachea


def _trachea(lumen: BoolArray, body: BoolArray, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """The first column of compact cross-sections, from the head downward, that is long enough for a trachea."""
    pixel_mm2 = spacing_zyx_mm[1] * spacing_zyx_mm[2]

    @cache
    def components(k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        labels, count = ndimage.label(lumen[k])
        return labels, np.bincount(labels.ravel(), minlength=count + 1) * pixel_mm2

    tried: set[tuple[int, int]] = set()
    for top in range(len(lumen) - 1, -1, -1):
        for label in _trachea_labels(*components(top), body[top]):
            if (top, label) in tried:
                continue
            track = _follow(components, top, label)
            tried.update(track)
            if len(track) * spacing_zyx_mm[0] >= TRACHEA_MIN_MM:
                trachea = np.zeros_like(lumen)
                for k, number in track:
                    trachea[k] = components(k)[0] == number
                return trachea
    return np.zeros_like(lumen)


def _trachea_labels(labels: NDArray[Any], areas: NDArray[Any], body: BoolArray) -> list[int]:
    """Components of a slice that look like a trachea: of its size, compact, near the middle of the body."""
    columns = np.flatnonzero(body.any(axis=0))
    found: list[int] = []
    if not columns.size:
        return found
    middle, width = (columns[0] + columns[-1]) / 2, columns[-1] - columns[0] + 1
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if not TRACHEA_MIN_MM2 <= areas[label] <= TRACHEA_MAX_MM2:
            continue
        height, breadth = box[0].stop - box[0].start, box[1].stop - box[1].start
        off = abs((box[1].start + box[1].stop - 1) / 2 - middle)
        filled = (labels[box] == label).mean()
        if 0.4 <= height / breadth <= 2.5 and filled > 0.55 and off < width * OFF_MIDDLE:
            found.append(label)
    return found


def _follow(
    components: Callable[[int], tuple[NDArray[Any], NDArray[Any]]], top: int, label: int
) -> list[tuple[int, int]]:
    """The slices and components below that continue one, until it vanishes or opens into something larger."""
    track = [(top, label)]
    for k in range(top - 1, -1, -1):
        above, areas_above = components(k + 1)
        labels, areas = components(k)
        shared = np.bincount(labels[above == label])
        shared[0] = 0
        if not shared.any():
            break
        following = int(shared.argmax())
        largest = min(TRACHEA_MAX_MM2, TRACHEA_GROWTH * areas_above[label] + TRACHEA_MIN_MM2)
        if areas[following] > largest:
            break
        label = following
        track.append((k, label))
    return track


@numba.njit(cache=True, nogil=True)
def _flood(array, inside, seeds, below, limit):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Voxels below a value that hang together with the seeds (flat indices); stops once there are too many."""
    depth, height, width = array.shape
    reached = np.zeros(array.shape, np.bool_)
    flat, values, allowed = reached.reshape(-1), array.reshape(-1), inside.reshape(-1)
    stack = np.empty(limit + seeds.size + 8, np.int64)
    size = 0
    for seed in seeds:
        flat[seed] = True
        stack[size] = seed
        size += 1
    count = size
    plane = height * width
    while size > 0:
        size -= 1
        here = stack[size]
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
            if not flat[there] and allowed[there] and values[there] < below:
                flat[there] = True
                count += 1
                if count > limit:
                    return reached, True
                stack[size] = there
                size += 1
    return reached, False
