"""Whether DICOM slices make a volume, and which: checks on positions, orientation and size (DICOM PS3.3 C.7.6.2)."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.params import GateParams
from medpipe.ct.readers.base import Rejection
from medpipe.ct.readers.dicom_headers import SliceHeader

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine between slices: a shift of 0.3 mm across a chest."""

SPACING_TOLERANCE = 1e-3
"""Largest relative difference of the pixel spacing between slices."""

SAME_PLACE_MM = 0.01
"""Slices closer than this along the normal are at one place."""

Check = Callable[[Sequence[SliceHeader], GateParams], Rejection | None]


def check_stack(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    """The first reason why the slices of a series are no CT volume; None where they are one."""
    checks: tuple[Check, ...] = (_is_ct, _is_placed, _is_uniform, _is_stacked, _is_even, _is_upright)
    return next(_findings(checks, slices, params), None)


def _findings(checks: Sequence[Check], slices: Sequence[SliceHeader], params: GateParams) -> Iterator[Rejection]:
    return (rejection for check in checks if (rejection := check(slices, params)) is not None)


def _is_ct(slices: Sequence[SliceHeader], _: GateParams) -> Rejection | None:
    others = sorted({header.modality or "none" for header in slices} - {"CT"})
    if others:
        return Rejection("not_ct", f"The modality is {', '.join(others)}, CT expected.")
    if any(header.n_samples != 1 for header in slices):
        return Rejection("not_ct", "The images are in colour, one value a pixel expected.")
    if (frames := max(header.n_frames for header in slices)) > 1:
        return Rejection("multi_frame", f"A file holds {frames} frames; one slice a file is read.")
    return None


def _is_placed(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    bare = [header for header in slices if not _has_place(header)]
    if bare:
        return Rejection(
            "no_position",
            f"{len(bare)} of {len(slices)} slices lack pixels, position, orientation or pixel spacing; "
            f"the first is {bare[0].file.name}.",
        )
    if len(slices) < params.min_slices:
        return Rejection("too_few_slices", f"{len(slices)} slices, at least {params.min_slices} expected.")
    return None


def _has_place(header: SliceHeader) -> bool:
    if not (header.rows and header.columns and header.position_mm):
        return False
    if not header.orientation or not header.pixel_spacing_mm or min(header.pixel_spacing_mm) <= 0:
        return False
    row, column = np.asarray(header.orientation[:3]), np.asarray(header.orientation[3:])
    return bool(
        np.isfinite([*header.position_mm, *header.orientation]).all()
        and np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=0.01)
    )


def _is_uniform(slices: Sequence[SliceHeader], _: GateParams) -> Rejection | None:
    sizes = sorted({(header.rows, header.columns) for header in slices})
    if len(sizes) > 1:
        text = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
        return Rejection("mixed_size", f"The slices have different sizes: {text}.")
    orientations = np.asarray([header.orientation for header in slices])
    if (worst := float(np.ptp(orientations, axis=0).max())) > ORIENTATION_TOLERANCE:
        return Rejection("mixed_orientation", f"Direction cosines of the slices differ by up to {worst:.3f}.")
    spacings = np.asarray([header.pixel_spacing_mm for header in slices])
    if (np.ptp(spacings, axis=0) > SPACING_TOLERANCE * spacings.min(axis=0)).any():
        low, high = spacings.min(), spacings.max()
        return Rejection("mixed_spacing", f"The pixel spacing varies from {low:g} to {high:g} mm.")
    return None


def _is_stacked(slices: Sequence[SliceHeader], _: GateParams) -> Rejection | None:
    gaps = np.diff(np.sort(_along_normal(slices)))
    if (gaps < SAME_PLACE_MM).any():
        shared = int((gaps < SAME_PLACE_MM).sum())
        return Rejection(
            "duplicate_positions",
            f"{shared} of {len(slices)} slices lie where another one lies, as in a series of several phases.",
        )
    return None


def _is_even(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    gaps = np.diff(np.sort(_along_normal(slices)))
    usual = float(np.median(gaps))
    steps = gaps / usual
    off = np.abs(steps - np.round(steps)) > params.spacing_tolerance
    if off.any() or (steps < 0.5).any():
        return Rejection("uneven_spacing", f"The slice distance varies from {gaps.min():.2f} to {gaps.max():.2f} mm.")
    missing = int((np.round(steps) - 1).sum())
    if missing:
        return Rejection("missing_slices", f"{missing} slices are missing from a row {usual:.2f} mm apart.")
    return None


def _is_upright(slices: Sequence[SliceHeader], params: GateParams) -> Rejection | None:
    if (tilt := tilt_deg(slices)) > params.max_tilt_deg:
        return Rejection(
            "gantry_tilt",
            f"The stack leans {tilt:.1f} degrees from the slices' normal, at most {params.max_tilt_deg:g} allowed.",
        )
    return None


def tilt_deg(slices: Sequence[SliceHeader]) -> float:
    """Angle between the line of the slices' positions and the slices' normal; not 0 under gantry tilt."""
    assert slices[0].orientation
    normal = slice_normal(slices[0].orientation)
    positions = np.asarray([header.position_mm for header in slices])
    order = np.argsort(positions @ normal)
    line = positions[order[-1]] - positions[order[0]]
    return float(np.degrees(np.arccos(np.clip(line @ normal / np.linalg.norm(line), -1, 1))))


def slice_normal(orientation: Sequence[float]) -> NDArray[np.float64]:
    """Unit vector at right angles to a slice: row direction times column direction."""
    normal = np.cross(np.asarray(orientation[:3]), np.asarray(orientation[3:]))
    return np.asarray(normal / np.linalg.norm(normal))


def _along_normal(slices: Sequence[SliceHeader]) -> NDArray[np.float64]:
    assert slices[0].orientation
    return np.asarray([header.position_mm for header in slices]) @ slice_normal(slices[0].orientation)


def sorted_stack(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The slices in the order of their positions along the normal."""
    return [slices[index] for index in np.argsort(_along_normal(slices), kind="stable")]


def stack_geometry(slices: Sequence[SliceHeader]) -> Geometry:
    """The grid of slices that passed ``check_stack``, in sorted order: array axis z runs along the normal."""
    first = slices[0]
    assert first.orientation
    assert first.pixel_spacing_mm
    assert first.position_mm
    length = float(np.ptp(_along_normal(slices)))
    direction = np.column_stack([first.orientation[:3], first.orientation[3:], slice_normal(first.orientation)])
    return Geometry(
        (len(slices), first.rows, first.columns),
        (length / (len(slices) - 1), first.pixel_spacing_mm[0], first.pixel_spacing_mm[1]),
        tuple_of_3(first.position_mm, float),
        tuple(tuple_of_3(row, float) for row in direction),
    )
