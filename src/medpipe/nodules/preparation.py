"""How scans must have been prepared so that a network can be trained on them, or used on them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore
from medpipe.training.checkpoint import Checkpoint

SPACING_TOLERANCE_MM = 0.05
"""A scan whose voxels differ more from those the network was trained on is refused."""

HU_TOLERANCE = 0.5
"""The same for the limits of the HU window."""

_ISOTROPY_TOLERANCE_MM = 1e-3


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
