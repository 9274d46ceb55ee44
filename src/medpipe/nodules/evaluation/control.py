"""What training brought: a detector beside the same network before training."""

from collections.abc import Mapping, Sequence

import pandas as pd

from medpipe.nodules.evaluation.evaluate import Evaluation, evaluate
from medpipe.nodules.evaluation.params import EvaluateParams


def evaluate_with_control(
    candidates: pd.DataFrame,
    control: pd.DataFrame,
    nodules: pd.DataFrame,
    series_uids: Sequence[str],
    params: EvaluateParams,
    threshold: float,
    *,
    sources: Mapping[str, str] | None = None,
    patients: Mapping[str, str] | None = None,
) -> Evaluation:
    """Scores a detector and its untrained control on the same scans.

    Args:
        candidates: Of the trained detector.
        control: Of the untrained one.
        nodules: Findings.
        series_uids: The scans that were searched.
        params: Of the evaluation.
        threshold: The detector's operating threshold.
        sources: Series uid to where the scan comes from.
        patients: Series uid to patient.

    Returns:
        The detector's evaluation; its metrics also have the control's CPM as ``untrained_cpm`` with the interval, and
        its curve a column ``network`` ("trained" or "untrained").
    """
    trained = evaluate(candidates, nodules, series_uids, params, threshold, sources=sources, patients=patients)
    untrained = evaluate(control, nodules, series_uids, params, threshold)
    cpm = {f"untrained_{name}": value for name, value in untrained.metrics.items() if name.startswith("cpm")}
    curves = [trained.curve.assign(network="trained"), untrained.curve.assign(network="untrained")]
    return Evaluation(trained.metrics | cpm, pd.concat(curves, ignore_index=True), trained.matches)
