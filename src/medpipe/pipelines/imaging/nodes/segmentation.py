"""Nodes that train the segmenter and judge its outlines of the test findings."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.nodules.findings.params import ModelFiles
from medpipe.nodules.segmentation.params import (
    EvaluateSegmentationParams,
    MaskTargetParams,
    SegmentParams,
    TrainSegmenterParams,
)
from medpipe.pipelines.imaging.nodes.optional import Trained, emptied, train_or_take
from medpipe.training.checkpoint import Checkpoint


def train_segmenter(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    params: TrainSegmenterParams,
    given: ModelFiles,
    work: Path,
) -> Trained:
    """Trains the network that outlines, or takes a trained one."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.segmentation.train import train_segmenter

    series = series_by_split(scans, splits, store.series_uids)
    return train_or_take("segmenter", given, lambda: train_segmenter(store, nodules, series, params, work))


def segment(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    segmenter: Checkpoint,
    params: SegmentParams,
    work: Path,
) -> tuple[pd.DataFrame, MaskStore]:
    """Outlines of the test findings, each looked for where the finding lies; of an organ, in the whole scan."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.segmentation.inference import segment_at, segment_scans
    from medpipe.nodules.segmentation.sampling import targets

    if segmenter.reason_absent is not None:
        return nodules.iloc[:0], MaskStore(emptied(work))
    test = series_by_split(scans, splits, store.series_uids)["test"]
    if not segmenter.params["at_place"]:
        return segment_scans(store, test, segmenter, params, work)
    target = MaskTargetParams(**segmenter.params["target"])
    places = targets(nodules[nodules["series_uid"].isin(test) & nodules["has_mask"]], target)
    return segment_at(store, places, segmenter, params, work)


def evaluate_segmentation(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    segmenter: Checkpoint,
    segmented: pd.DataFrame,
    masks: MaskStore,
    params: EvaluateSegmentationParams,
) -> tuple[dict[str, float], pd.DataFrame]:
    """Dice, IoU, Hausdorff distance and volume error of the outlines: where the place is given, or of whole scans."""
    from medpipe.ct.cohort import by_series, series_by_split
    from medpipe.nodules.segmentation.evaluate import evaluate_segmentation

    if segmenter.reason_absent is not None:
        return {}, pd.DataFrame({"finding_id": pd.Series(dtype="str")})
    test = series_by_split(scans, splits, store.series_uids)["test"]
    patients = by_series(scans, "patient_id")
    target = MaskTargetParams(**segmenter.params["target"])
    outlined = {"at_findings" if segmenter.params["at_place"] else "whole": (segmented, masks)}
    return evaluate_segmentation(store, nodules, test, params, **outlined, target=target, patients=patients)


def draw_segmentation(
    store: ScanStore, segmenter: Checkpoint, segmented: pd.DataFrame, masks: MaskStore, table: pd.DataFrame
) -> Figure:
    """True and found outlines in three orthogonal slices, and Dice against size."""
    from medpipe.reporting.nothing import nothing_figure

    if table.empty:
        return nothing_figure("No segmentation", segmenter.reason_absent or "No test finding has an outline.")
    from medpipe.nodules.segmentation.pictures import organ_figure, segmentation_figure

    draw = segmentation_figure if segmenter.params["at_place"] else organ_figure
    return draw(store, segmented, masks, table)
