"""Where the lungs are: threshold, components, airway, closing, on a coarse grid.

Threshold, border removal and morphological closing after Hu, Hoffman and Reinhardt, "Automatic lung segmentation
for accurate quantitation of volumetric X-ray CT images" (IEEE TMI 2001), done slice by slice where a leak is likely
(outside air) and in space where the lungs have to hang together. The mask tells a detector where to look, so it errs
outward: nodules on the pleura, vessels and the hilar dents belong to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medpipe.ct.params import LungParams
from medpipe.ct.resample import block_means
from medpipe.ct.volume import Volume

BoolArray = NDArray[np.bool_]

COARSE_MM = 3.0
"""Width of the voxels the mask is found on: finer than any margin asked for, and a few million voxels at most."""

AIR_BELOW_HU = -400
"""Lung and airways below, chest wall and vessels above (between the -850 and 0 HU of the two)."""

GAS_BELOW_HU = -965
"""Mean of a component that is gas without tissue (stomach, bowel, airway); emphysematous lung stays above."""

MIN_LUNG_SHARE = 0.08
"""Smallest part of the found air that a lung makes up; collapsed lungs reach a tenth of the other."""

AIRWAY_MAX_MM2 = 900.0
"""Largest cross-section of a trachea: 27 mm in men (Breatnach et al., AJR 1984), with room for oblique cuts."""

AIRWAY_MIN_MM2 = 60.0
"""Smallest cross-section that is followed as a trachea."""

AIRWAY_GROWTH = 1.6
"""Growth from one slice to the next at which the airway has run into the lungs."""

_IN_PLANE = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3], dtype=bool)


class NoLungsError(ValueError):
    """No lungs were found; the message says what was found instead."""


def find_lungs(volume: Volume, params: LungParams) -> Volume:
    """Mask of both lungs with their margin, on a coarse grid.

    Args:
        volume: A chest CT in canonical orientation, padding clamped to -1024 HU.
        params: Closing, margin and the smallest volume believed.

    Returns:
        int16, 0 or 1, on a grid of about 3 mm with the volume's axes.

    Raises:
        NoLungsError: If less air than ``params.min_volume_ml`` lies inside the body.
    """
    coarse = block_means(volume, COARSE_MM)
    spacing = coarse.geometry.spacing_zyx_mm
    lungs = _lung_components(coarse.array, spacing)
    found_ml = float(lungs.sum()) * float(np.prod(spacing)) / 1000
    if found_ml < params.min_volume_ml:
        raise NoLungsError(
            f"No lungs were found: {found_ml:.0f} ml of air-filled tissue inside the body, "
            f"at least {params.min_volume_ml:.0f} ml expected."
        )
    lungs = _without_crumbs(lungs & ~_airway(lungs, spacing))
    mask = _close_and_grow(lungs, spacing, params.closing_mm, params.margin_mm)
    return Volume(mask.astype(np.int16), coarse.geometry)


def _lung_components(array: NDArray[np.int16], spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """Air inside the body that is large enough and not plain gas."""
    air = array < AIR_BELOW_HU
    air &= ~_open_to_the_side(air)
    labels, _ = ndimage.label(air)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes >= max(1.0, MIN_LUNG_SHARE * sizes.sum()))
    keep = np.zeros(sizes.size, dtype=bool)
    if large.size:
        means = ndimage.mean(array, labels, large)
        keep[large[np.asarray(means) > GAS_BELOW_HU]] = True
    return keep[labels]


def _open_to_the_side(air: BoolArray) -> BoolArray:
    """Air joined, within its slice, to the slice's edge: the room, the table, the arms' surroundings.

    Slice by slice, because in space the room reaches the lungs through the mouth and the cut ends of the scan.
    """
    labels, _ = ndimage.label(air, _IN_PLANE)
    edges = (labels[:, 0, :], labels[:, -1, :], labels[:, :, 0], labels[:, :, -1])
    touching = np.zeros(labels.max() + 1, dtype=bool)
    for edge in edges:
        touching[edge] = True
    touching[0] = False
    return touching[labels]


def _without_crumbs(lungs: BoolArray) -> BoolArray:
    """What is large enough to be a lung, without pieces of the airway that were cut loose."""
    labels, _ = ndimage.label(lungs)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= max(1.0, MIN_LUNG_SHARE * sizes.sum()))[labels]


def _airway(lungs: BoolArray, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """The trachea, followed from the head downward until it opens into the lungs."""
    pixel_mm2 = spacing_zyx_mm[1] * spacing_zyx_mm[2]
    airway = np.zeros_like(lungs)
    previous: BoolArray | None = None
    for k in range(lungs.shape[0] - 1, -1, -1):
        labels, count = ndimage.label(lungs[k])
        if count == 0:
            continue
        areas = np.bincount(labels.ravel(), minlength=count + 1) * pixel_mm2
        label = _trachea_label(labels, areas) if previous is None else _overlap_label(labels, previous)
        if label == 0:
            if previous is not None:
                break
            continue
        before = float(previous.sum()) * pixel_mm2 if previous is not None else areas[label]
        if areas[label] > min(AIRWAY_MAX_MM2, AIRWAY_GROWTH * before + AIRWAY_MIN_MM2):
            break
        previous = labels == label
        airway[k] = previous
    return airway


def _trachea_label(labels: NDArray[np.int32], areas: NDArray[Any]) -> int:
    """The component of a slice that looks like a trachea: of its size, compact, between the outer quarters; or 0."""
    width = labels.shape[1]
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if not AIRWAY_MIN_MM2 <= areas[label] <= AIRWAY_MAX_MM2:
            continue
        rows, columns = box[0].stop - box[0].start, box[1].stop - box[1].start
        middle = (box[1].start + box[1].stop) / 2
        filled = (labels[box] == label).mean()
        if 0.4 <= rows / columns <= 2.5 and filled > 0.55 and abs(middle - width / 2) < width / 6:
            return label
    return 0


def _overlap_label(labels: NDArray[np.int32], previous: BoolArray) -> int:
    """The component that shares most pixels with the airway of the slice above; 0 where none does."""
    shared = np.bincount(labels[previous])
    shared[0] = 0
    return int(shared.argmax()) if shared.any() else 0


def _close_and_grow(
    lungs: BoolArray, spacing_zyx_mm: Sequence[float], closing_mm: float, margin_mm: float
) -> BoolArray:
    """Closes with a ball, fills holes, and leaves the margin: growing by the sum, shrinking by the closing."""
    reach = [int(np.ceil((closing_mm + margin_mm) / spacing)) + 1 for spacing in spacing_zyx_mm]
    box = ndimage.find_objects(lungs.astype(np.int8))[0]
    padded = np.pad(lungs[box], [(n, n) for n in reach])
    grown = _within(padded, closing_mm + margin_mm, spacing_zyx_mm)
    mask = ~_within(~grown, closing_mm, spacing_zyx_mm) if closing_mm > 0 else grown
    background, _ = ndimage.label(~mask)
    mask = background != background[0, 0, 0]  # the padding joins all that is outside
    result = np.zeros_like(lungs)
    low = [part.start - n for part, n in zip(box, reach, strict=True)]
    source, target = [], []
    for first, length, limit in zip(low, mask.shape, lungs.shape, strict=True):
        begin, end = max(first, 0), min(first + length, limit)
        target.append(slice(begin, end))
        source.append(slice(begin - first, end - first))
    result[tuple(target)] = mask[tuple(source)]
    return result


def _within(mask: BoolArray, distance_mm: float, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """All voxels within a distance of the mask: the squared Euclidean distance, axis by axis, no farther than asked.

    The distance is separable (Saito and Toriwaki, Pattern Recognition 1994): along each axis the new square is the
    least of the neighbours' squares plus the step squared.
    """
    beyond = np.float32(2 * distance_mm**2 + 1)
    squares = np.where(mask, np.float32(0), beyond)
    for axis, spacing in enumerate(spacing_zyx_mm):
        least = squares.copy()
        along, source = np.moveaxis(least, axis, 0), np.moveaxis(squares, axis, 0)
        for step in range(1, min(int(distance_mm / spacing), mask.shape[axis] - 1) + 1):
            added = np.float32((step * spacing) ** 2)
            np.minimum(along[step:], source[:-step] + added, out=along[step:])
            np.minimum(along[:-step], source[step:] + added, out=along[:-step])
        squares = least
    return squares <= np.float32(distance_mm**2 + 1e-3)
