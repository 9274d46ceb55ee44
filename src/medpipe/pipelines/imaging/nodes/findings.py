"""Nodes that chain the networks on the test scans, judge the chain, keep the networks together and write the report."""

from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.findings.models import ModelFolder, Models
from medpipe.nodules.findings.params import FindParams
from medpipe.nodules.report_params import ReportParams
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, MaskTargetParams, SegmentParams
from medpipe.pipelines.imaging.nodes.optional import present
from medpipe.training.checkpoint import Checkpoint


def keep_models(
    detector: Checkpoint,
    reducer: Checkpoint,
    segmenter: Checkpoint,
    classifier: Checkpoint,
    find: FindParams,
    segment: SegmentParams,
    classify: ClassifyParams,
    work: Path,
) -> ModelFolder:
    """Puts the networks that were trained, or given, into one folder, and how they are used on new scans."""
    from medpipe.nodules.findings.models import write_models

    models = Models(detector, present(reducer), present(segmenter), present(classifier))
    return write_models(models, work, find.model_copy(update={"segment": segment, "classify": classify}))


def find_instances(
    store: ScanStore,
    candidates: pd.DataFrame,
    models: ModelFolder,
    work: Path,
) -> tuple[pd.DataFrame, MaskStore]:
    """Outlines and classifies what was detected on the test scans: one table of instances."""
    from medpipe.nodules.findings.instances import instances_of

    return instances_of(store, candidates, models.load(), models.use(), work)


def evaluate_instances(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    instances: pd.DataFrame,
    masks: MaskStore,
    segmenter: Checkpoint,
    params: EvaluateSegmentationParams,
) -> tuple[dict[str, float], pd.DataFrame]:
    """Outlines of the detected nodules against the true ones; nodules that were not detected are counted."""
    from medpipe.ct.cohort import by_series, series_by_split
    from medpipe.nodules.segmentation.evaluate import evaluate_segmentation

    if segmenter.reason_absent is not None:
        return {}, instances.iloc[:0]
    test = series_by_split(scans, splits, store.series_uids)["test"]
    patients = by_series(scans, "patient_id")
    target = MaskTargetParams(**segmenter.params["target"])
    return evaluate_segmentation(
        store, nodules, test, params, at_candidates=(instances, masks), target=target, patients=patients
    )


def write_report(
    store: ScanStore,
    scans: pd.DataFrame,
    splits: pd.DataFrame,
    detection_metrics: dict[str, float],
    curves: pd.DataFrame,
    outcomes: pd.DataFrame,
    segmentation_metrics: dict[str, float],
    segmented: pd.DataFrame,
    segmented_masks: MaskStore,
    segmentation_scores: pd.DataFrame,
    instance_metrics: dict[str, float],
    instance_scores: pd.DataFrame,
    classification_metrics: dict[str, float],
    classification_scores: pd.DataFrame,
    classification_curve: pd.DataFrame,
    masks: MaskStore,
    detector: Checkpoint,
    segmenter: Checkpoint,
    classifier: Checkpoint,
    params: ReportParams,
) -> str:
    """One page with all results, pictures and a slice viewer; it works offline."""
    from medpipe.ct.cohort import by_series, series_by_split
    from medpipe.nodules.report import evaluation_report
    from medpipe.pipelines.imaging.nodes.classification import draw_classification
    from medpipe.pipelines.imaging.nodes.segmentation import draw_segmentation

    test = series_by_split(scans, splits, store.series_uids)["test"]
    return evaluation_report(
        store,
        metrics=detection_metrics,
        curves=curves,
        outcomes=outcomes,
        series_uids=test,
        sources=by_series(scans, "source"),
        segmentation_metrics=(segmentation_metrics | instance_metrics) or None,
        segmentation_scores=instance_scores,
        segmentation_figure=draw_segmentation(store, segmenter, segmented, segmented_masks, segmentation_scores),
        classification_metrics=classification_metrics or None,
        classification_scores=classification_scores,
        classification_figure=draw_classification(
            classification_metrics, classification_scores, classification_curve, classifier
        ),
        masks=masks,
        provenance=_provenance(detector),
        params=params,
    )


def _provenance(detector: Checkpoint) -> dict[str, Any]:
    """What made the detector, without the list of scans."""
    return {name: value for name, value in detector.provenance.items() if name != "series"}
