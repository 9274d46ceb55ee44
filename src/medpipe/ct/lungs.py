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
from medpipe.ct.components import bounding_box, fill_holes, fill_holes_in_plane, label, lookup
from medpipe.ct.geometry import Geometry
from medpipe.ct.lung_sides import LEFT, MIN_LUNG_SHARE, RIGHT, split
from medpipe.ct.morphology import dilate, erode, within
from medpipe.ct.params import LungParams
from medpipe.ct.resample import block_means
from medpipe.ct.volume import Volume

BoolArray = NDArray[np.bool_]

COARSE_MM = 3.0
"""Width of the voxels the mask is found on: finer than any margin asked for, and a few million voxels at most."""

TISSUE_ABOVE_HU = -300
"""Fat (-120 to -70) and all denser tissue lie above, a coarse voxel half of skin and half of air below."""

AIR_BELOW_HU = -400
"""Lung and airways below, chest wall and vessels above (between the -850 and 0 HU of the two)."""

ROOM_BELOW_HU = -950
"""The room and what pads the image; blankets and foam lie above, as lung does."""

CUT_LUNG_MIN_VOXELS = 2000
"""Smallest piece of lung outside the closed body that is looked at: some 50 ml of coarse voxels."""

CUT_LUNG_WALL_SHARE = 0.4
"""Share of tissue around a lung that the field of view cuts; half of its rim may be vessels or lie at the cut."""

GAS_BELOW_HU = -965
"""Gas without tissue (stomach, bowel, a hollow table); emphysematous lung stays above."""

GAS_MIN_ML = 5.0
"""Smallest pocket of gas that is looked at."""

GAS_WALL_SHARE = 0.5
"""Share of soft tissue around a pocket of gas from which it is bowel or stomach: a bulla lies in lung."""

BRONCHUS_ERODED_VOXELS = 1
"""Airways that vanish when eroded so far (under about 9 mm wide) run inside the lungs and belong to them."""

AROUND_BODY = 2
"""Coarse voxels that are kept around the patient."""


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
    coarse, body = _cropped_to_body(block_means(volume, COARSE_MM))
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


def _cropped_to_body(coarse: Volume) -> tuple[Volume, BoolArray]:
    """The part of a scan around the patient, and the patient in it: half of a scan is room and table."""
    body = _body(coarse.array)
    found = bounding_box(body)
    if found is None:
        return coarse, body
    box = tuple(
        slice(max(part.start - AROUND_BODY, 0), min(part.stop + AROUND_BODY, size))
        for part, size in zip(found, body.shape, strict=True)
    )
    array = np.ascontiguousarray(coarse.array[box])
    depth, height, width = array.shape
    z, y, x = (part.start for part in box)
    geometry = coarse.geometry.crop((z, y, x), (depth, height, width))
    return Volume(array, geometry), np.ascontiguousarray(body[box])


def _body(array: NDArray[np.int16]) -> BoolArray:
    """The patient and all that lies inside, slice by slice, without table, tubes and the room.

    Slice by slice, because in space the room reaches the lungs through the mouth and the cut ends of the scan.
    """
    tissue = array > TISSUE_ABOVE_HU
    labels, sizes = label(erode(tissue, 1))  # the thin shell of a table falls away
    if len(sizes) == 1:
        return np.zeros_like(tissue)
    patient = dilate(labels == sizes.argmax(), 2) & tissue
    body = fill_holes_in_plane(patient)
    return body | _cut_lungs(array, body, patient)


def _cut_lungs(array: NDArray[np.int16], body: BoolArray, patient: BoolArray) -> BoolArray:
    """Lung at the edge of a field of view that is too small: open to the side, and yet walled by the patient.

    The room is too black for lung, and what is not (blankets, the foam of a table) has no wall of the patient.
    """
    grey = (array < AIR_BELOW_HU) & (array > ROOM_BELOW_HU) & ~body
    found = np.zeros_like(body)
    if np.count_nonzero(grey) < CUT_LUNG_MIN_VOXELS:
        return found
    labels, sizes = label(erode(grey, 1))  # the skin's own grey rim falls away
    for number in np.flatnonzero(sizes >= CUT_LUNG_MIN_VOXELS):
        box = _widened(bounding_box(labels == number), 3)
        piece = dilate(labels[box] == number, 1) & grey[box]
        rim = dilate(piece, 2) & ~piece
        if patient[box][rim].mean() > CUT_LUNG_WALL_SHARE:
            found[box] |= piece
    return found


def _widened(box: tuple[slice, ...] | None, voxels: int) -> tuple[slice, ...]:
    assert box is not None
    return tuple(slice(max(part.start - voxels, 0), part.stop + voxels) for part in box)


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
        box = _widened(bounding_box(labels == number), 3)
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
