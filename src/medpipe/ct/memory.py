"""How much memory it takes to prepare a scan, worked out from its size before it is read."""

from collections.abc import Sequence

RAW_BYTES_A_VOXEL = 7.0
"""Of the scan as it lies in the files: the files' bytes, int16 voxels and their copy in another orientation."""

STORED_BYTES_A_VOXEL = 5.0
"""Of the grid that is stored: image, lung mask, findings (two bytes) and what compression holds for a while."""

WORKER_GB = 0.35
"""Of a worker without a scan: the interpreter and its libraries."""


def needed_gb(
    shape_zyx: Sequence[int], spacing_zyx_mm: Sequence[float], target_mm: float, stored_share: float = 1.0
) -> float:
    """Memory of one worker that prepares a scan, at most.

    Args:
        shape_zyx: Voxels of the scan.
        spacing_zyx_mm: Their distances.
        target_mm: Edge of a stored voxel.
        stored_share: Part of the scan that is stored; 1 where the lungs fill it.
    """
    raw = stored = 1.0
    for size, spacing in zip(shape_zyx, spacing_zyx_mm, strict=True):
        raw *= size
        stored *= size * spacing / target_mm
    return WORKER_GB + (RAW_BYTES_A_VOXEL * raw + STORED_BYTES_A_VOXEL * stored * stored_share) / 1e9


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
