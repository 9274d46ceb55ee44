"""How well two masks agree."""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medpipe.ct.components import bounding_box

OVERLAP_MEASURES = ("dice", "iou", "hausdorff95_mm", "volume_error", "absolute_volume_error")

HAUSDORFF_PERCENTILE = 95

BoolArray = npt.NDArray[np.bool_]


def dice(truth: BoolArray, predicted: BoolArray) -> float:
    """Twice the common voxels over all voxels of both masks; 1 where both are empty."""
    both, all_voxels = int((truth & predicted).sum()), int(truth.sum()) + int(predicted.sum())
    return 2 * both / all_voxels if all_voxels else 1.0


def overlap(truth: BoolArray, predicted: BoolArray, spacing_zyx_mm: Sequence[float]) -> dict[str, float]:
    """Measures of one mask against another (Taha and Hanbury, BMC Medical Imaging 15:29, 2015).

    Args:
        truth: (z, y, x).
        predicted: Same shape.
        spacing_zyx_mm: Of the voxels.

    Returns:
        - ``dice`` and ``iou``: 1 where both masks are empty, 0 where one of them is;
        - ``hausdorff95_mm``: the larger of the two 95th percentiles of the distance from a voxel of one surface to
          the other surface; 0 where both masks are empty, not a number where one is;
        - ``volume_error``: predicted volume less the true one, relative to the true one, and its absolute value; 0
          where both are empty, not a number where only the truth is.
    """
    n_truth, n_predicted = int(np.count_nonzero(truth)), int(np.count_nonzero(predicted))
    if n_truth == n_predicted == 0:
        return dict(zip(OVERLAP_MEASURES, (1.0, 1.0, 0.0, 0.0, 0.0), strict=True))
    both = int(np.count_nonzero(truth & predicted))
    error = (n_predicted - n_truth) / n_truth if n_truth else float("nan")
    distance_mm = _hausdorff95_mm(truth, predicted, spacing_zyx_mm) if n_truth and n_predicted else float("nan")
    values = (2 * both / (n_truth + n_predicted), both / (n_truth + n_predicted - both), distance_mm, error, abs(error))
    return dict(zip(OVERLAP_MEASURES, values, strict=True))


def _hausdorff95_mm(truth: BoolArray, predicted: BoolArray, spacing_zyx_mm: Sequence[float]) -> float:
    """MONAI's, in the box that holds both masks and a voxel around them."""
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    box = bounding_box(truth | predicted)
    assert box is not None
    pair = [torch.from_numpy(np.pad(mask[box], 1))[None, None] for mask in (predicted, truth)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI's, of an argument of its own
        distance = compute_hausdorff_distance(
            *pair, include_background=True, percentile=HAUSDORFF_PERCENTILE, spacing=list(spacing_zyx_mm)
        )
    return float(distance[0, 0])
