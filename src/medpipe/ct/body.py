"""Where the patient is: tissue and all that lies inside, without the table, blankets and the room."""

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.components import bounding_box, fill_holes_in_plane, label
from medpipe.ct.morphology import dilate, erode
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

AROUND_BODY = 2
"""Coarse voxels that are kept around the patient."""


class NoBodyError(ValueError):
    """Nobody was found in a scan."""


def find_body(volume: Volume) -> tuple[Volume, BoolArray]:
    """The patient on a coarse grid of about 3 mm that is cropped to him: half of a scan is room and table.

    Args:
        volume: In canonical orientation, padding clamped to -1024 HU.

    Returns:
        The coarse part of the scan around the patient, and the patient in it (z, y, x); the whole grid and an empty
        mask where there is nobody.
    """
    coarse = block_means(volume, COARSE_MM)
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
        box = widened(bounding_box(labels == number), 3)
        piece = dilate(labels[box] == number, 1) & grey[box]
        rim = dilate(piece, 2) & ~piece
        if patient[box][rim].mean() > CUT_LUNG_WALL_SHARE:
            found[box] |= piece
    return found


def widened(box: tuple[slice, ...] | None, voxels: int) -> tuple[slice, ...]:
    """A box, which must not be None, with some voxels more on all sides; it may reach beyond the end of the array."""
    assert box is not None
    return tuple(slice(max(part.start - voxels, 0), part.stop + voxels) for part in box)
