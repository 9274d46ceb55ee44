"""Nodes that train the classifier and judge what it says of the test findings."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.params import (
    ClassifyParams,
    EvaluateClassificationParams,
    TargetParams,
    TrainClassifierParams,
)
from medpipe.nodules.findings.params import ModelFiles
from medpipe.pipelines.imaging.nodes.optional import Trained, train_or_take
from medpipe.training.checkpoint import Checkpoint


def train_classifier(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    params: TrainClassifierParams,
    given: ModelFiles,
    work: Path,
) -> Trained:
    """Trains the network that tells classes apart, or takes a trained one."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.classification.train import train_classifier

    series = series_by_split(scans, splits, store.series_uids)
    return train_or_take("classifier", given, lambda: train_classifier(store, nodules, series, params, work))


def classify(
    store: ScanStore,
    scans: pd.DataFrame,
    nodules: pd.DataFrame,
    splits: pd.DataFrame,
    classifier: Checkpoint,
    params: ClassifyParams,
) -> pd.DataFrame:
    """The probability of the positive class for each test nodule."""
    from medpipe.ct.cohort import series_by_split
    from medpipe.nodules.classification.inference import classify_at

    test = series_by_split(scans, splits, store.series_uids)["test"]
    places = nodules[nodules["series_uid"].isin(test) & (nodules["kind"] == "nodule")].reset_index(drop=True)
    if classifier.reason_absent is not None:
        return places.iloc[:0].assign(class_probability=pd.Series(dtype="float64"))
    return classify_at(store, places, classifier, params)


def evaluate_classification(
    scans: pd.DataFrame, classified: pd.DataFrame, classifier: Checkpoint, params: EvaluateClassificationParams
) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """AUC, shares at the operating point and calibration on the test nodules, and the ROC curve."""
    from medpipe.ct.cohort import by_series
    from medpipe.nodules.classification.evaluate import evaluate_classification, roc_table

    if classifier.reason_absent is not None:
        return {}, classified, pd.DataFrame({"sensitivity": pd.Series(dtype="float64")})
    target = TargetParams(**classifier.params["target"])
    patients = by_series(scans, "patient_id")
    threshold = classifier.params["operating_threshold"]
    metrics, table = evaluate_classification(classified, target, params, threshold, patients)
    return metrics, table, roc_table(table, params)


def draw_classification(
    metrics: dict[str, float], table: pd.DataFrame, curve: pd.DataFrame, classifier: Checkpoint
) -> Figure:
    """ROC curve, reliability and confusion matrix."""
    from medpipe.reporting.classification import classification_figure
    from medpipe.reporting.nothing import nothing_figure

    if table.empty:
        reason = classifier.reason_absent or "No test nodule is in either class."
        return nothing_figure("No classification", reason)
    return classification_figure(metrics, table, curve, classifier.params["rule"])
