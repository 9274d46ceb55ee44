"""Whether DICOM slices make a volume, and which: checks on positions, orientation and size (DICOM PS3.3 C.7.6.2)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.params import GateParams
from medpipe.ct.readers.base import Rejection
from medpipe.ct.readers.dicom_records import (
    DEFLATED,
    MAX_SLICE_PIXELS,
    MAX_VOXELS,
    PLAIN_SYNTAXES,
    UNDEFINED_LENGTH,
    SliceHeader,
)
from medpipe.ct.readers.dicom_series import along_normal, imaging_slices, is_localizer, one_phase, slice_normal

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine between slices: a shift of 0.3 mm across a chest."""

SPACING_TOLERANCE = 1e-3
"""Largest relative difference of the pixel spacing between slices."""

UPRIGHT_MM = 0.1
"""A stack that drifts sideways by less than this from first slice to last is upright: positions are rounded."""

SIDEWAYS_MM = 0.5
"""Largest distance of a slice from the line through the first and the last: less than a voxel."""

MAX_COORDINATE_MM = 1e5
"""Positions farther away, and pixels larger, are nonsense; the tables of scanners move by some metres."""

BITS = (8, 16, 32)

# fmt: off
MODALITIES = frozenset({
    "MR", "PT", "NM", "US", "CR", "DX", "MG", "XA", "RF", "ES", "XC", "SM", "OT", "SC", "SR", "PR", "KO", "DOC", "REG",
    "FID", "RWV", "AU", "ECG", "RTPLAN", "RTDOSE", "RTIMAGE", "RTRECORD", "BI", "IVUS", "OCT", "OP", "BMD", "M3D",
})
# fmt: on
"""Modalities that are named in a reason (PS3.3 C.7.3.1.1.1); any other text might be anything."""

Check = Callable[[Sequence[SliceHeader]], Rejection | None]


def usable_stack(headers: Sequence[SliceHeader], phase: int | None) -> tuple[list[SliceHeader], Rejection | None]:
    """The slices that make a series' volume, or the reason why none do, whatever the tolerances.

    Intake and the reading of voxels call the same function, so that they never choose differently.

    Args:
        headers: Everything found under the series' uid.
        phase: Which phase, where several slices lie at each place.
    """
    slices = imaging_slices(headers)
    checks: tuple[Check, ...] = (_is_ct, _has_pixels, _is_placed, _is_uniform)
    for check in checks:
        if (rejection := check(slices)) is not None:
            return slices, rejection
    return one_phase(slices, phase)


def check_stack(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    """Whether the slices of `usable_stack` are evenly spaced, upright enough and many enough."""
    count = len(slices)
    if count > 1 and (rejection := _check_spacing(slices, params) or _check_tilt(slices, params)) is not None:
        return rejection
    if count < params.min_slices:
        return Rejection("too_few_slices", f"{_some(count)} there, at least {params.min_slices} expected.")
    return None


def _some(count: int) -> str:
    return "1 slice is" if count == 1 else f"{count} slices are"


def _at(header: SliceHeader) -> str:
    return str(header.file.path)


def _is_ct(slices: Sequence[SliceHeader]) -> Rejection | None:
    other = next((header for header in slices if header.file.modality != "CT"), None)
    if other is not None:
        modality = other.file.modality
        known = modality if modality in MODALITIES else "another"
        return Rejection("not_ct", f"The modality is {known if modality else 'not given'}, CT expected.", _at(other))
    coloured = [header for header in slices if header.file.n_samples != 1 or "PALETTE" in header.file.photometric]
    if coloured:
        return Rejection("not_ct", "The images are in colour, one grey value a pixel expected.", _at(coloured[0]))
    if burned := [header for header in slices if header.file.burned_in]:
        reason = f"{len(burned)} of {len(slices)} slices have text burned into their pixels."
        return Rejection("burned_in_text", reason, _at(burned[0]))
    if all(map(is_localizer, slices)):
        return Rejection("localizer", "The series holds localizers (scout views) only.", _at(slices[0]))
    return None


def _has_pixels(slices: Sequence[SliceHeader]) -> Rejection | None:
    for header in slices:
        file, place = header.file, header.file.pixels
        if place is None or not (file.rows and file.columns):
            return Rejection("no_pixels", f"{_count(slices, _is_empty)} slices have no pixels.", _at(header))
        if place.bits_allocated not in BITS or not 0 < place.bits_stored <= place.high_bit + 1 <= place.bits_allocated:
            bits = f"{place.bits_stored} of {place.bits_allocated} bits, highest {place.high_bit}"
            return Rejection("unreadable", f"The values of a slice are {bits}: not a layout of DICOM.", _at(header))
        encapsulated = place.length == UNDEFINED_LENGTH
        if encapsulated == (place.syntax in PLAIN_SYNTAXES or place.syntax == DEFLATED):
            kind = "compressed" if encapsulated else "not compressed"
            return Rejection("unreadable", f"Pixels are {kind}, their transfer syntax says otherwise.", _at(header))
        if file.rows * file.columns > MAX_SLICE_PIXELS or file.rows * file.columns * len(slices) > MAX_VOXELS:
            size = f"{len(slices)} slices of {file.rows} x {file.columns} pixels"
            return Rejection("unreadable", f"{size} are more than any CT scan has.", _at(header))
    if cut := [header for header in slices if header.file.pixels and header.file.pixels.missing_bytes]:
        place = cut[0].file.pixels
        missing = place.missing_bytes if place else 0
        reason = f"The pixels of {len(cut)} of {len(slices)} slices are cut short; {missing} bytes are missing first."
        return Rejection("truncated_pixels", reason, _at(cut[0]))
    return None


def _is_empty(header: SliceHeader) -> bool:
    return header.file.pixels is None or not (header.file.rows and header.file.columns)


def _count(slices: Sequence[SliceHeader], test: Callable[[SliceHeader], bool]) -> str:
    return f"{sum(map(test, slices))} of {len(slices)}"


def _is_placed(slices: Sequence[SliceHeader]) -> Rejection | None:
    several = [header for header in slices if header.file.n_frames > 1 and header.position_mm is None]
    if several:
        frames = several[0].file.n_frames
        reason = f"A file holds {frames} frames without a position for each."
        return Rejection("multi_frame", reason, _at(several[0]))
    bare = [header for header in slices if not _has_place(header)]
    if bare:
        count = f"{len(bare)} of {len(slices)} slices"
        return Rejection("no_position", f"{count} lack position, orientation or pixel spacing.", _at(bare[0]))
    lost = [header for header in slices if not header.has_rescale]
    if lost:
        reason = f"{len(lost)} of {len(slices)} slices have no usable rescale slope and intercept."
        return Rejection("absurd_hu", reason, _at(lost[0]))
    return None


def _has_place(header: SliceHeader) -> bool:
    if not (header.position_mm and header.orientation and header.pixel_spacing_mm):
        return False
    if not 1 / MAX_COORDINATE_MM < min(header.pixel_spacing_mm) <= max(header.pixel_spacing_mm) < MAX_COORDINATE_MM:
        return False
    if max(map(abs, header.position_mm)) > MAX_COORDINATE_MM or max(map(abs, header.orientation)) > 2:
        return False
    row, column = np.asarray(header.orientation[:3]), np.asarray(header.orientation[3:])
    return bool(np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=0.01))


def _is_uniform(slices: Sequence[SliceHeader]) -> Rejection | None:
    if (patients := len({header.file.patient_id for header in slices})) > 1:
        return Rejection("mixed_patients", f"The slices are of {patients} patients, though of one series.")
    sizes = sorted({(header.file.rows, header.file.columns) for header in slices})
    if len(sizes) > 1:
        text = ", ".join(f"{rows} x {columns}" for rows, columns in sizes[:4])
        return Rejection("mixed_size", f"The slices have {len(sizes)} different sizes: {text}.")
    orientations = np.asarray([header.orientation for header in slices])
    if (worst := float(np.ptp(orientations, axis=0).max())) > ORIENTATION_TOLERANCE:
        return Rejection("mixed_orientation", f"Direction cosines of the slices differ by up to {worst:.3f}.")
    spacings = np.asarray([header.pixel_spacing_mm for header in slices])
    if (np.ptp(spacings, axis=0) > SPACING_TOLERANCE * spacings.min(axis=0)).any():
        low, high = spacings.min(), spacings.max()
        return Rejection("mixed_spacing", f"The pixel spacing varies from {low:g} to {high:g} mm.")
    return None


def _check_spacing(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    gaps = np.diff(np.sort(along_normal(slices)))
    usual = float(np.median(gaps))
    steps = gaps / usual
    off = np.abs(steps - np.round(steps)) > params.spacing_tolerance
    if off.any() or (steps < 0.5).any():
        return Rejection("uneven_spacing", f"The slice distance varies from {gaps.min():.2f} to {gaps.max():.2f} mm.")
    missing = int((np.round(steps) - 1).sum())
    if missing:
        return Rejection("missing_slices", f"{_some(missing)} missing from a row {usual:.2f} mm apart.")
    if (beside := _sideways_mm(slices)) > SIDEWAYS_MM:
        reason = f"Slices lie up to {beside:.1f} mm beside the line from the first to the last."
        return Rejection("uneven_spacing", reason)
    return None


def _sideways_mm(slices: Sequence[SliceHeader]) -> float:
    """Largest distance of a slice from its place on the line of the stack, within the plane of the slice."""
    distances = along_normal(slices)
    order = np.argsort(distances)
    positions = np.asarray([header.position_mm for header in slices])[order]
    share = (distances[order] - distances[order[0]]) / (distances[order[-1]] - distances[order[0]])
    line = positions[0] + share[:, None] * (positions[-1] - positions[0])
    return float(np.linalg.norm(positions - line, axis=1).max())


def _check_tilt(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    if is_upright(slices) or (tilt := tilt_deg(slices)) <= params.max_tilt_deg:
        return None
    return Rejection(
        "gantry_tilt",
        f"The stack leans {tilt:.1f} degrees from the slices' normal, at most {params.max_tilt_deg:g} allowed.",
    )


def _axis_mm(slices: Sequence[SliceHeader]) -> NDArray[np.float64]:
    """From the first slice of the stack to the last, world (x, y, z)."""
    order = np.argsort(along_normal(slices))
    first, last = slices[order[0]].position_mm, slices[order[-1]].position_mm
    return np.asarray(last, dtype=np.float64) - np.asarray(first, dtype=np.float64)


def is_upright(slices: Sequence[SliceHeader]) -> bool:
    """Whether the slices lie above each other along their normal."""
    assert slices[0].orientation
    axis, normal = _axis_mm(slices), slice_normal(slices[0].orientation)
    return bool(np.linalg.norm(axis - (axis @ normal) * normal) < UPRIGHT_MM)


def tilt_deg(slices: Sequence[SliceHeader]) -> float:
    """Angle between the line of the slices' positions and the slices' normal; not 0 under gantry tilt."""
    assert slices[0].orientation
    axis, normal = _axis_mm(slices), slice_normal(slices[0].orientation)
    return float(np.degrees(np.arccos(np.clip(axis @ normal / np.linalg.norm(axis), -1, 1))))


def stack_geometry(slices: Sequence[SliceHeader]) -> Geometry:
    """The grid of at least two slices in sorted order.

    Array axis z runs along the slices' normal; under gantry tilt it leans with the stack (`Geometry.is_orthogonal`), so
    that every voxel keeps its true place.
    """
    first = slices[0]
    assert first.orientation
    assert first.pixel_spacing_mm
    assert first.position_mm
    axis = _axis_mm(slices)
    step = slice_normal(first.orientation)
    length = float(axis @ step)
    if not is_upright(slices):
        length = float(np.linalg.norm(axis))
        step = axis / length
    direction = np.column_stack([first.orientation[:3], first.orientation[3:], step])
    return Geometry(
        (len(slices), first.file.rows, first.file.columns),
        (length / (len(slices) - 1), first.pixel_spacing_mm[0], first.pixel_spacing_mm[1]),
        tuple_of_3(first.position_mm, float),
        tuple(tuple_of_3(row, float) for row in direction),
    )
