"""How much memory it takes to prepare a scan, worked out from its size before it is read."""

import math
from collections.abc import Sequence

RAW_BYTES_A_VOXEL = 6.0
"""Of the scan as it lies in the files: int16 twice (as read, and turned or straightened), and the coarse grid's masks.

Measured at 2.2 (400 x 512 x 512 voxels of a MetaImage) and at 3.2 where it had to be turned.
"""

STORED_BYTES_A_VOXEL = 4.0
"""Of the grid that is stored: image, lung mask, numbers of findings (two bytes)."""

STORED_SHARE = 0.8
"""Part of the resampled scan that is stored at most; the box around the lungs took 0.38 of a chest scan."""

WORKER_GB = 0.35
"""Of a worker without a scan: the interpreter and its libraries (measured 0.34)."""


def needed_gb(shape_zyx: Sequence[int], spacing_zyx_mm: Sequence[float], target_mm: float) -> float:
    """Memory of one worker that prepares a scan, at most.

    Args:
        shape_zyx: Voxels of the scan.
        spacing_zyx_mm: Their distances.
        target_mm: Edge of a stored voxel.
    """
    raw = math.prod(shape_zyx)
    resampled = raw * math.prod(spacing / target_mm for spacing in spacing_zyx_mm)
    return WORKER_GB + (RAW_BYTES_A_VOXEL * raw + STORED_BYTES_A_VOXEL * STORED_SHARE * resampled) / 1e9


def workers_within(limit_gb: float, needs_gb: Sequence[float], wanted: int) -> int:
    """How many of the largest scans may be prepared at the same time.

    Args:
        limit_gb: Memory of all workers together.
        needs_gb: Of every scan, those left out that need more than the limit by themselves.
        wanted: Workers at most.
    """
    taken = 0.0
    for workers, need in enumerate(sorted(needs_gb, reverse=True)[:wanted]):
        taken += need
        if taken > limit_gb:
            return max(workers, 1)
    return max(wanted, 1)
