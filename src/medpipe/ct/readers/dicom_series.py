"""Which slices of a DICOM series make its volume: copies, localizers and captures left out, one phase of several."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.readers.base import Rejection
from medpipe.ct.readers.dicom_records import SliceHeader

T = TypeVar("T", float, tuple[float, int])

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of a screen save, and the root of those with several frames."""

SAME_PLACE_MM = 0.01
"""Slices closer than this along the normal are at one place."""


def imaging_slices(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The slices of a series without copies, and without localizers and captures where there are others.

    Args:
        headers: Everything found under the series' uid, in the order of the files.
    """
    slices = _without_copies(headers)
    for is_extra in (is_localizer, is_capture):
        slices = [header for header in slices if not is_extra(header)] or slices
    return slices


def is_localizer(header: SliceHeader) -> bool:
    """Whether a slice is a scout view (value 3 of Image Type, PS3.3 C.8.2.1.1.1 and C.8.16.1.3)."""
    return "LOCALIZER" in header.image_type[2:]


def is_capture(header: SliceHeader) -> bool:
    """Whether a slice is a secondary capture, such as a dose report."""
    root = header.file.sop_class
    return root == SECONDARY_CAPTURE or root.startswith(f"{SECONDARY_CAPTURE}.")


def _without_copies(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """One of each slice, a whole one rather than a truncated one.

    The uid alone does not tell copies: anonymisers are known to give one to all slices.
    """
    kept: dict[tuple[object, ...], SliceHeader] = {}
    for header in headers:
        identity = (header.file.sop_uid or str(header.file.path), header.order, header.position_mm, header.times)
        if identity not in kept or (not _is_whole(kept[identity]) and _is_whole(header)):
            kept[identity] = header
    return list(kept.values())


def _is_whole(header: SliceHeader) -> bool:
    return header.file.pixels is not None and header.file.pixels.missing_bytes == 0


def slice_normal(orientation: Sequence[float]) -> NDArray[np.float64]:
    """Unit vector at right angles to a slice: row direction times column direction."""
    normal = np.cross(np.asarray(orientation[:3]), np.asarray(orientation[3:]))
    return np.asarray(normal / np.linalg.norm(normal))


def along_normal(slices: Sequence[SliceHeader]) -> NDArray[np.float64]:
    """Distance of each slice from the world's origin along the common normal, mm."""
    assert slices[0].orientation
    return np.asarray([header.position_mm for header in slices]) @ slice_normal(slices[0].orientation)


def sorted_stack(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The slices in the order of their positions along the normal."""
    return [slices[index] for index in np.argsort(along_normal(slices), kind="stable")]


def one_phase(slices: Sequence[SliceHeader], phase: int | None) -> tuple[list[SliceHeader], Rejection | None]:
    """The slices of one phase, where several lie at each place.

    Args:
        slices: All with a place, of one orientation.
        phase: Number of the phase, from 0; None refuses series of several.

    Returns:
        The slices, at most one at a place, or the reason why there is no such choice.
    """
    places = _place_numbers(slices)
    counts = Counter(places)
    if len(slices) > 1 and len(counts) == 1:
        return list(slices), Rejection("single_position", f"All {len(slices)} slices lie at one place.")
    fewest, most = min(counts.values()), max(counts.values())
    if most == 1:
        return list(slices), None
    if fewest == 1:
        doubled = sum(count > 1 for count in counts.values())
        return list(slices), Rejection(
            "duplicate_positions", f"At {doubled} of {len(counts)} places there are several slices, one expected."
        )
    found = "" if fewest == most else f" to {most}"
    several = f"There are {fewest}{found} slices at each of {len(counts)} places"
    if phase is None:
        return list(slices), Rejection("four_dimensional", f"{several}; gate.phase chooses one.")
    phases = _phases(slices, places) if fewest == most else None
    if phases is None:
        return list(slices), Rejection("four_dimensional", f"{several}, and their phases cannot be told apart.")
    if phase >= len(phases):
        reason = f"There are {len(phases)} phases, so 0 to {len(phases) - 1} can be chosen, not {phase}."
        return list(slices), Rejection("four_dimensional", reason)
    return phases[phase], None


def _place_numbers(slices: Sequence[SliceHeader]) -> list[int]:
    """Number of the place of each slice along the normal."""
    distances = along_normal(slices)
    order = np.argsort(distances, kind="stable")
    numbers = np.zeros(len(slices), dtype=int)
    numbers[order[1:]] = np.cumsum(np.diff(distances[order]) >= SAME_PLACE_MM)
    return [int(number) for number in numbers]


def _phases(slices: Sequence[SliceHeader], places: Sequence[int]) -> list[list[SliceHeader]] | None:
    """The phases in their order, by the first attribute that tells them apart; None where none does."""
    n_places = len(set(places))
    for key in range(len(slices[0].times)):
        values = [header.times[key] for header in slices]
        known = [value for value in values if value is not None]
        if len(known) == len(slices) and (phases := _blocks(slices, places, known, n_places)):
            return phases
    numbers = [header.order for header in slices]
    if len(set(numbers)) < len(slices):
        return None
    return _blocks(slices, places, numbers, n_places) or _interleaved(slices, places, numbers, n_places)


def _blocks(
    slices: Sequence[SliceHeader], places: Sequence[int], values: Sequence[T], n_places: int
) -> list[list[SliceHeader]] | None:
    """Phases one after the other: runs of rising values, each of which visits every place once."""
    order = sorted(range(len(slices)), key=values.__getitem__)
    runs = [order[first : first + n_places] for first in range(0, len(order), n_places)]
    if any(len({places[index] for index in run}) < n_places for run in runs):
        return None
    if any(values[run[-1]] >= values[later[0]] for run, later in pairwise(runs)):
        return None
    return [[slices[index] for index in run] for run in runs]


def _interleaved(
    slices: Sequence[SliceHeader], places: Sequence[int], numbers: Sequence[tuple[float, int]], n_places: int
) -> list[list[SliceHeader]] | None:
    """Phases side by side: runs of instance numbers, each of which stays at one place."""
    order = sorted(range(len(slices)), key=numbers.__getitem__)
    n_phases = len(slices) // n_places
    runs = [order[first : first + n_phases] for first in range(0, len(order), n_phases)]
    if any(len({places[index] for index in run}) > 1 for run in runs):
        return None
    return [[slices[run[phase]] for run in runs] for phase in range(n_phases)]
