"""From which probability on a voxel belongs to a finding: chosen on validation findings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medpipe.ct.store import ScanStore
from medpipe.nodules.cubes import corner
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.segmentation.inference import component_at, probabilities_at
from medpipe.nodules.segmentation.overlap import dice
from medpipe.nodules.segmentation.params import SegmentParams
from medpipe.training.checkpoint import Checkpoint

THRESHOLDS = tuple(np.arange(0.3, 0.96, 0.05).round(2).tolist())
"""Those that are compared."""


def dice_by_threshold(
    store: ScanStore, found: pd.DataFrame, series_uids: Sequence[str], checkpoint: Checkpoint, params: SegmentParams
) -> dict[float, float]:
    """Mean Dice of findings outlined at their place, for each threshold; empty where no finding has a mask.

    A network trained with the Dice loss takes in what it is unsure of, so that at one half its outlines are too large.

    Args:
        store: The scans.
        found: Rows of `medpipe.nodules.segmentation.sampling.targets`.
        series_uids: Scans, which the network was not trained on.
        checkpoint: A segmenter's.
        params: Of its use; its threshold is not looked at.
    """
    scores: dict[float, list[float]] = {threshold: [] for threshold in THRESHOLDS}
    for uid in series_uids:
        rows = found[found["series_uid"] == uid]
        if rows.empty:
            continue
        scan = store.open(uid)
        centres = scan.geometry.to_voxel(rows[POSITION].to_numpy(dtype=np.float64))
        for centre, number, (start, probability) in zip(
            centres, rows["number"], probabilities_at(store, uid, centres, checkpoint, params), strict=True
        ):
            truth = scan.label_patch(corner(centre, params.roi_edge), probability.shape) == number
            if not truth.any():
                continue
            for threshold, kept in scores.items():
                mask = component_at(probability >= threshold, centre - start, params.search_mm, scan.geometry)
                kept.append(dice(truth, mask))
    return {threshold: float(np.mean(kept)) for threshold, kept in scores.items() if kept}
