"""Where to draw the line between alarm and no alarm: chosen on validation scans."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpipe.nodules.evaluation.froc import froc
from medpipe.nodules.evaluation.matching import match
from medpipe.training.checkpoint import Checkpoint

DEFAULT_THRESHOLD = 0.5
"""Operating threshold where there is no validation nodule to set it on."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OperatingPoint:
    """Of a detector, or of a detector with a reducer, on the validation scans.

    Attributes:
        threshold: Candidates at least this probable are alarms.
        fp_per_scan: False alarms a scan it was chosen for.
        cpm: LUNA16's score of the candidates; None without validation nodules.
        sensitivity: At ``fp_per_scan``; None without validation nodules.
    """

    threshold: float
    fp_per_scan: float
    cpm: float | None = None
    sensitivity: float | None = None

    def params(self) -> dict[str, float]:
        """What a checkpoint keeps of it."""
        known = {"operating_threshold": self.threshold, "operating_fp_per_scan": self.fp_per_scan}
        return known | ({} if self.cpm is None else {"val_cpm": self.cpm})

    def points(self, step: int) -> pd.DataFrame:
        """What the history keeps of it: columns step, name, value."""
        values = {
            "val_cpm": self.cpm,
            "val_sensitivity_at_operating_point": self.sensitivity,
            "val_operating_threshold": self.threshold,
        }
        known = {name: value for name, value in values.items() if self.cpm is not None and value is not None}
        table = pd.DataFrame({"step": step, "name": list(known), "value": list(known.values())})
        return table.astype({"step": "int64", "name": "str", "value": "float64"})


def has_nodules(nodules: pd.DataFrame, series_uids: Sequence[str]) -> bool:
    """Whether any of the scans has one."""
    return bool((nodules["series_uid"].isin(series_uids) & (nodules["kind"] == "nodule")).any())


def choose_operating_point(
    candidates: pd.DataFrame, nodules: pd.DataFrame, series_uids: Sequence[str], fp_per_scan: float
) -> OperatingPoint:
    """The lowest threshold with at most so many false alarms a scan.

    Args:
        candidates: Of the validation scans.
        nodules: Findings.
        series_uids: The validation scans.
        fp_per_scan: False alarms a scan that are borne.
    """
    if not has_nodules(nodules, series_uids):
        _logger.warning("No validation scan has a nodule: the operating threshold stays %.2f", DEFAULT_THRESHOLD)
        return OperatingPoint(DEFAULT_THRESHOLD, fp_per_scan)
    curve = froc(match(candidates, nodules, series_uids))
    threshold = curve.threshold_at(fp_per_scan)
    threshold = threshold if np.isfinite(threshold) else DEFAULT_THRESHOLD
    _logger.info("CPM on %d validation scans: %.3f, operating threshold %.3f", len(series_uids), curve.cpm, threshold)
    return OperatingPoint(threshold, fp_per_scan, curve.cpm, float(curve.sensitivity_at(fp_per_scan)))


def operating_threshold(detector: Checkpoint, reducer: Checkpoint | None = None) -> float:
    """Probability from which a candidate of the detector, or of both stages together, is an alarm."""
    checkpoint = detector if reducer is None else reducer
    return float(checkpoint.params["operating_threshold"])
