"""Nodes that train the detector and its second stage, search the test scans and judge what was found."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.params import DetectParams, TrainDetectorParams, TrainReducerParams
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.nodules.findings.params import ModelFiles
from medpipe.pipelines.imaging.nodes.optional import Trained, present, train_or_take
from medpipe.training.checkpoint import Checkpoint


def train_cnn(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    params: TrainDetectorParams,
    given: ModelFiles,
    work: Path,
) -> Trained:
    """Trains the detector, or takes a trained one."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.detection.train import train_detector

    series = series_by_split(scans, splits, store.series_uids)
    return train_or_take("detector", given, lambda: train_detector(store, nodules, series, params, work))


def train_reducer(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    detector: Checkpoint,
    params: TrainReducerParams,
    given: ModelFiles,
    work: Path,
) -> Trained:
    """Trains the network that looks at each candidate a second time."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.detection.reduction import train_reducer

    series = series_by_split(scans, splits, store.series_uids)
    return train_or_take("reducer", given, lambda: train_reducer(store, nodules, series, detector, params, work))


def detect(
    store: ScanStore,
    scans: pd.DataFrame,
    splits: pd.DataFrame,
    detector: Checkpoint,
    reducer: Checkpoint,
    params: DetectParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Candidates on the test scans, by the trained networks and by the detector before training."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.detection.inference import detect, untrained

    test = series_by_split(scans, splits, store.series_uids)["test"]
    found = detect(store, test, detector, params, present(reducer))
    return found, detect(store, test, untrained(detector), params)


def evaluate(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    candidates: pd.DataFrame,
    control: pd.DataFrame,
    detector: Checkpoint,
    reducer: Checkpoint,
    params: EvaluateParams,
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """FROC, CPM and the measures at the operating point on the test scans, with the untrained control."""
    from medpipe.ct.cohort import by_series, series_by_split
    from medpipe.nodules.detection.operating_point import operating_threshold
    from medpipe.nodules.evaluation.control import evaluate_with_control

    test = series_by_split(scans, splits, store.series_uids)["test"]
    result = evaluate_with_control(
        candidates,
        control,
        nodules,
        test,
        params,
        operating_threshold(detector, present(reducer)),
        sources=by_series(scans, "source"),
        patients=by_series(scans, "patient_id"),
    )
    return result.metrics, result.curve, result.matches


def draw_froc(curves: pd.DataFrame) -> Figure:
    """Sensitivity against false alarms a scan, of the detector and of the untrained control."""
    from medpipe.reporting.froc import froc_figure

    of = dict(list(curves.groupby("network")))
    return froc_figure(of["trained"], of.get("untrained"))


def draw_findings(store: ScanStore, outcomes: pd.DataFrame) -> tuple[Figure, Figure, Figure]:
    """Hits, misses and false alarms in three orthogonal slices each."""
    from medpipe.nodules.pictures import outcome_gallery

    hits, misses, false_alarms = (outcome_gallery(store, outcomes, name) for name in ("hit", "miss", "false alarm"))
    return hits, misses, false_alarms
