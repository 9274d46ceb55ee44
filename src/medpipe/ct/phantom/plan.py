"""Who is in the cohort and how each scan is acquired: all that is known before a voxel is made."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medpipe.core.fingerprint import digest
from medpipe.ct.phantom.params import PhantomParams

GENERATOR_VERSION = 7
"""Raised whenever the same parameters give other voxels or files, so that old scans are made again."""

_NOT_IN_IMAGES = {"n_patients"}
"""Parameters that decide which scans there are, not what they show."""

UID_ROOT = "2.25."
"""Root of UIDs made from a UUID (DICOM PS3.5 B.2)."""

Direction = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

LPS: Direction = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

DIRECTIONS: tuple[Direction, ...] = (
    ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
    ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
)
"""How reoriented scans lie: rows are world (x, y, z), columns the axes of the index; the last two are coronal and
sagittal storage."""


@dataclass(frozen=True)
class ScanPlan:
    """One scan to be made.

    Attributes:
        series_uid: DICOM UID, a function of seed, patient and visit.
        patient_id: Pseudonym.
        patient: Number of the patient, 0-based.
        visit: 0 for the first scan, 1 for the follow-up.
        form: Which files are written.
        direction: Orientation of the stored array.
        healthy: Whether the patient has no nodule.
        contrast: Whether contrast medium was given.
        sharp: Whether a sharp kernel is used.
        digest: Fingerprint of everything that decides the content.
    """

    series_uid: str
    patient_id: str
    patient: int
    visit: int
    form: Literal["luna16", "dicom"]
    direction: Direction
    healthy: bool
    contrast: bool
    sharp: bool
    digest: str


def make_uid(*parts: object) -> str:
    """DICOM UID of the UUID form (PS3.5 B.2) that is a function of ``parts``."""
    raw = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()[:16]
    return f"{UID_ROOT}{uuid.UUID(bytes=raw, version=4).int}"


def rng_for(params: PhantomParams, *key: int) -> np.random.Generator:
    """Independent source of chance for one patient, visit or purpose."""
    return np.random.default_rng(np.random.SeedSequence(params.seed, spawn_key=key))


def _spread(number: int, fraction: float, offset: float) -> bool:
    """Whether item ``number`` is among an evenly spread ``fraction`` of all, so that small cohorts have their share."""
    return int((number + 1) * fraction + offset) > int(number * fraction + offset)


def plan_cohort(params: PhantomParams) -> list[ScanPlan]:
    """All scans of a cohort, in order of patient and visit."""
    plans = []
    content = params.model_dump(mode="json", exclude=_NOT_IN_IMAGES)
    for patient in range(params.n_patients):
        dicom = _spread(patient, params.dicom_fraction, 0.55)
        healthy = _spread(patient, params.healthy_fraction, 0.3)
        visits = 2 if _spread(patient, params.second_scan_fraction, 0.75) else 1
        for visit in range(visits):
            rng = rng_for(params, patient, 10 + visit)
            contrast = bool(rng.random() < params.contrast_fraction)
            sharp = bool(rng.random() < params.sharp_kernel_fraction)
            scan = 2 * patient + visit
            reoriented = not dicom and _spread(patient, params.reoriented_fraction, 0.4)
            direction = DIRECTIONS[(scan // 3 + visit) % len(DIRECTIONS)]
            key = (params.seed, patient, visit)
            plans.append(
                ScanPlan(
                    series_uid=make_uid("series", *key),
                    patient_id=f"PHANTOM-{patient:04d}",
                    patient=patient,
                    visit=visit,
                    form="dicom" if dicom else "luna16",
                    direction=direction if reoriented else LPS,
                    healthy=healthy,
                    contrast=contrast,
                    sharp=sharp,
                    digest=digest(content, GENERATOR_VERSION, patient, visit),
                )
            )
    return plans
