"""Patients to train, val and test by a keyed hash of the patient id.

A patient's place depends on nothing but the seed and the id, so it stays when others are added or removed, and all
scans of a patient are on one side. The price is that the fractions are met only on average: with ``n`` patients the
share of a split strays by about ``sqrt(f (1 - f) / n)``. Filling exact quotas by rank would be closer, but each new
patient could then push an old one from train to test, which would spoil every earlier test score. One exception keeps
tiny cohorts usable: a split that was asked for and would stay empty takes the patient whose hash lies nearest to it.
"""

import hashlib
from collections.abc import Iterable

import pandas as pd

from medpipe.ct.params import SplitParams

SPLIT_NAMES = ("train", "val", "test")


def split_patients(patient_ids: Iterable[str], params: SplitParams) -> pd.DataFrame:
    """Assigns every patient to one split.

    Args:
        patient_ids: Ids of the patients; repeated ids count once.
        params: Seed and fractions.

    Returns:
        Columns ``patient_id`` and ``split`` ("train", "val" or "test"), sorted by patient.
    """
    place = {patient: hash_fraction(patient, params.seed) for patient in sorted(set(patient_ids))}
    intervals = _intervals(params)
    split_of = {patient: _split_at(value, intervals) for patient, value in place.items()}
    for name, (low, high) in intervals.items():
        if name not in split_of.values():
            _fill(name, (low + high) / 2, place, split_of)
    return pd.DataFrame(
        {"patient_id": list(split_of), "split": list(split_of.values())}, columns=["patient_id", "split"]
    ).astype("str")


def hash_fraction(patient_id: str, seed: int) -> float:
    """A number in [0, 1) that depends on the patient's id and the seed only."""
    state = hashlib.blake2b(patient_id.encode("utf-8"), key=str(seed).encode("ascii"), digest_size=8)
    return int.from_bytes(state.digest(), "big") / 2**64


def _intervals(params: SplitParams) -> dict[str, tuple[float, float]]:
    """The part of [0, 1) that belongs to each split asked for; the last one ends at 1 whatever the rounding."""
    result: dict[str, tuple[float, float]] = {}
    low = 0.0
    for name, fraction in zip(SPLIT_NAMES, (params.train, params.val, params.test), strict=True):
        if fraction > 0:
            result[name] = (low, low + fraction)
            low += fraction
    last = next(reversed(result))
    result[last] = (result[last][0], 1.0)
    return result


def _split_at(value: float, intervals: dict[str, tuple[float, float]]) -> str:
    return next(name for name, (low, high) in intervals.items() if low <= value < high)


def _fill(name: str, middle: float, place: dict[str, float], split_of: dict[str, str]) -> None:
    """Moves one patient, of a split that keeps at least one other, to the empty split ``name``."""
    sizes = pd.Series(split_of, dtype="str").value_counts()
    movable = [patient for patient, split in split_of.items() if sizes[split] > 1]
    if movable:
        split_of[min(movable, key=lambda patient: abs(place[patient] - middle))] = name
