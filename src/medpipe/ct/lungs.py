"""Where the lungs are: body, air inside it, airway and gas removed, left and right told apart, each one closed.

Threshold, removal of the airway, separation of the lungs and morphological closing after Hu, Hoffman and Reinhardt,
"Automatic lung segmentation for accurate quantitation of volumetric X-ray CT images" (IEEE TMI 2001), on a coarse
grid. The mask tells a detector where to look, so it errs outward: nodules on the pleura, vessels and the hilar dents
belong to it. Each lung is closed by itself, so that the mediastinum between them stays out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.airway import find_airway
from medpipe.ct.body import AIR_BELOW_HU, TISSUE_ABOVE_HU, find_body, widened
from medpipe.ct.components import bounding_box, fill_holes, label, lookup
from medpipe.ct.geometry import Geometry
from medpipe.ct.lung_sides import LEFT, MIN_LUNG_SHARE, RIGHT, split
from medpipe.ct.morphology import dilate, erode, within
from medpipe.ct.params import LungParams
from medpipe.ct.volume import Volume

BoolArray = NDArray[np.bool_]

GAS_BELOW_HU = -965
"""Gas without tissue (stomach, bowel, a hollow table); emphysematous lung stays above."""

GAS_MIN_ML = 5.0
"""Smallest pocket of gas that is looked at."""

GAS_WALL_SHARE = 0.5
"""Share of soft tissue around a pocket of gas from which it is bowel or stomach: a bulla lies in lung."""

BRONCHUS_ERODED_VOXELS = 1
"""Airways that vanish when eroded so far (under about 9 mm wide) run inside the lungs and belong to them."""


class NoLungsError(ValueError):
    """No lungs were found; the message says what was found instead."""


@dataclass(frozen=True)
class Lungs:
    """The lungs on a coarse grid of about 3 mm, all arrays (z, y, x).

    Attributes:
        closed: uint8: 1 in the right lung, 2 in the left one, dents and vessels filled, before any margin.
        airway: Trachea and main bronchi with their wall; not part of ``closed``.
        mask: Both lungs with the margin.
        geometry: The grid, which covers the patient.
        right_ml: Air-filled volume of the right lung, without airway and vessels.
        left_ml: Of the left lung.
    """

    closed: NDArray[np.uint8]
    airway: BoolArray
    mask: BoolArray
    geometry: Geometry
    right_ml: float
    left_ml: float


def find_lungs(volume: Volume, params: LungParams) -> Lungs:
    """Both lungs, before and after their margin.

    Args:
        volume: A chest CT in canonical orientation, padding clamped to -1024 HU.
        params: Closing, margin and the smallest volume believed.

    Raises:
        NoLungsError: If less air than ``params.min_volume_ml`` lies inside the body.
    """
    coarse, body = find_body(volume)
    spacing = coarse.geometry.spacing_zyx_mm
    airway = find_airway(coarse.array, body, spacing)
    lungs = _lung_components(coarse.array, body, dilate(airway, 1), spacing)
    found_ml = float(lungs.sum()) * float(np.prod(spacing)) / 1000
    if found_ml < params.min_volume_ml:
        raise NoLungsError(
            f"No lungs were found: {found_ml:.0f} ml of air-filled tissue inside the body, "
            f"at least {params.min_volume_ml:.0f} ml expected."
        )
    sides = split(lungs, body, spacing)
    counts = np.bincount(sides.ravel(), minlength=3) * (float(np.prod(spacing)) / 1000)
    wide = dilate(erode(airway, BRONCHUS_ERODED_VOXELS), BRONCHUS_ERODED_VOXELS + 1)
    closed = np.zeros(sides.shape, dtype=np.uint8)
    for side in (RIGHT, LEFT):
        if counts[side]:
            whole = close(sides == side, spacing, params.closing_mm)
            closed[whole & ~wide & (closed == 0)] = side
    mask = fill_holes(within(closed > 0, params.margin_mm, spacing)) if params.margin_mm > 0 else closed > 0
    return Lungs(closed, wide, mask, coarse.geometry, float(counts[RIGHT]), float(counts[LEFT]))


def _lung_components(
    array: NDArray[np.int16], body: BoolArray, airway: BoolArray, spacing_zyx_mm: Sequence[float]
) -> BoolArray:
    """Air inside the body, large enough for a lung, and neither airway nor plain gas."""
    air = (array < AIR_BELOW_HU) & body & ~airway
    air &= ~_gas_pockets(array, air, spacing_zyx_mm)
    labels, sizes = label(air)
    large = np.flatnonzero(sizes >= max(1.0, MIN_LUNG_SHARE * sizes.sum()))
    keep = np.zeros(sizes.size, dtype=bool)
    for number in large:
        keep[number] = np.median(array[labels == number]) > GAS_BELOW_HU
    return np.asarray(lookup(keep, labels))


def _gas_pockets(array: NDArray[np.int16], air: BoolArray, spacing_zyx_mm: Sequence[float]) -> BoolArray:
    """Gas with a wall of soft tissue: stomach and bowel, which hang on the lung where the diaphragm is thin."""
    gas = air & (array < GAS_BELOW_HU)
    pockets = np.zeros_like(air)
    labels, sizes = label(gas)
    for number in np.flatnonzero(sizes >= GAS_MIN_ML * 1000 / np.prod(spacing_zyx_mm)):
        box = widened(bounding_box(labels == number), 3)
        pocket = labels[box] == number
        shell = dilate(pocket, 3) & ~dilate(pocket, 1)
        if (array[box][shell] > TISSUE_ABOVE_HU).mean() > GAS_WALL_SHARE:
            pockets[box] |= dilate(pocket, 2)
    return pockets


def close(lung: BoolArray, spacing_zyx_mm: Sequence[float], closing_mm: float) -> BoolArray:
    """Closes dents with a ball and fills holes.

    Args:
        lung: At least one voxel set.
        spacing_zyx_mm: Of the voxels.
        closing_mm: Radius of the ball.
    """
    reach = [int(np.ceil(closing_mm / spacing)) + 1 for spacing in spacing_zyx_mm]
    box = bounding_box(lung)
    assert box is not None
    whole = np.pad(lung[box], [(n, n) for n in reach])
    if closing_mm > 0:
        whole = ~within(~within(whole, closing_mm, spacing_zyx_mm), closing_mm, spacing_zyx_mm)
    whole = fill_holes(whole)
    result = np.zeros_like(lung)
    result[box] = whole[tuple(slice(n, size - n) for n, size in zip(reach, whole.shape, strict=True))]
    return result
