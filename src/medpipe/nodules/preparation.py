"""How scans must have been prepared so that a network can be trained or used on them, and what it was made from."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest
from medpipe.core.params import Params
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore
from medpipe.training.checkpoint import Checkpoint

SPACING_TOLERANCE_MM = 0.05
"""A scan whose voxels differ more from those the network was trained on is refused."""

HU_TOLERANCE = 0.5
"""The same for the limits of the HU window."""

_ISOTROPY_TOLERANCE_MM = 1e-3

VALIDATION_SEED = 7_919
"""Validation patches are the same in every run of the same data, whatever the training's seed."""

PACKAGES = ("torch", "monai", "lightning", "scikit-learn", "medpipe")
"""Whose versions are kept with a network."""


class Prepared(Protocol):
    """What is asked of a scan; `medpipe.ct.stored_scan.StoredScan` has it."""

    @property
    def geometry(self) -> Geometry:
        """Of the voxels."""

    @property
    def hu_window(self) -> tuple[float, float]:
        """Hounsfield units of the values 0 and 255."""


def stored(store: ScanStore, series_uids: Sequence[str]) -> list[str]:
    """Those of the scans that the store holds, sorted."""
    return sorted(uid for uid in series_uids if uid in store)


def common_preparation(store: ScanStore, series_uids: Sequence[str]) -> tuple[float, tuple[float, float]]:
    """Edge of the voxels in mm and HU window that all scans share.

    Raises:
        InputError: If there is no scan, or scans differ or are not isotropic.
    """
    if not series_uids:
        raise InputError(f"{store.folder}: none of the training scans is in the store; run the preprocess node first.")
    found = {(store.open(uid).geometry.spacing_zyx_mm, store.open(uid).hu_window) for uid in series_uids}
    spacings = np.array([value for spacing, _ in found for value in spacing])
    if len({window for _, window in found}) > 1 or not np.allclose(spacings, spacings[0], atol=_ISOTROPY_TOLERANCE_MM):
        raise InputError(
            f"{store.folder}: scans differ in spacing or HU window, or are not isotropic: {sorted(found)[:4]}; "
            "preprocess all of them with one set of parameters."
        )
    return float(spacings[0]), next(iter(found))[1]


def provenance(
    store: ScanStore, nodules: pd.DataFrame, series: Mapping[str, Sequence[str]], params: Params, seed: int
) -> dict[str, Any]:
    """What a network was made from, for its checkpoint: JSON-able, without names of files or patients.

    Args:
        store: The scans.
        nodules: The findings.
        series: Split to the series that were used.
        params: Of the training.
        seed: Of the training.
    """
    return {
        "store": store.fingerprint(),
        "findings": digest(nodules),
        "series": {split: list(uids) for split, uids in series.items()},
        "params": params.model_dump(mode="json"),
        "seed": seed,
        "versions": {name: version(name) for name in PACKAGES},
    }


def check_preparation(name: str, scan: Prepared, checkpoint: Checkpoint) -> None:
    """Refuses a scan that does not look as the training scans did.

    Args:
        name: Of the scan, for the message.
        scan: What is to be looked at.
        checkpoint: With ``spacing_mm`` and ``hu_window`` among its parameters.

    Raises:
        InputError: If voxel size or HU window differ.
    """
    spacing, wanted = scan.geometry.spacing_zyx_mm, checkpoint.params["spacing_mm"]
    if np.abs(np.subtract(spacing, wanted)).max() > SPACING_TOLERANCE_MM:
        raise InputError(
            f"scan {name}: spacing_zyx_mm is {spacing}, the {checkpoint.kind} was trained at {wanted}; "
            "preprocess with that spacing, or train on this store."
        )
    if not np.allclose(scan.hu_window, checkpoint.params["hu_window"], atol=HU_TOLERANCE):
        raise InputError(
            f"scan {name}: hu_window is {scan.hu_window}, the {checkpoint.kind} was trained with "
            f"{tuple(checkpoint.params['hu_window'])}; preprocess with that window, or train on this store."
        )
