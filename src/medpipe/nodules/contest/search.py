"""What a set of networks finds, outlines and classifies on the test scans."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.evaluate import evaluate_classification
from medpipe.nodules.classification.inference import classify_at
from medpipe.nodules.classification.params import ClassifyParams, EvaluateClassificationParams, TargetParams
from medpipe.nodules.detection.inference import detect, empty_candidates
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.findings.models import Models
from medpipe.nodules.segmentation.evaluate import evaluate_segmentation
from medpipe.nodules.segmentation.inference import segment_at, segment_scans
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, MaskTargetParams, SegmentParams
from medpipe.nodules.segmentation.sampling import targets
from medpipe.promotion.frozen import unseen
from medpipe.training.checkpoint import Checkpoint

PROBLEM = "problem"
"""Where the reason stands, in ``attrs`` of the candidates, for which there are none."""

_NO_INTERVAL = EvaluateSegmentationParams(n_bootstraps=1)
_OUTLINES = {"series_uid": "str", "measure": "str", "value": "float64"}
_CLASSES = {"series_uid": "str", "target": "int64", "class_probability": "float64"}


class Found(NamedTuple):
    """What networks made of the test scans.

    Attributes:
        candidates: Of ``detect``; ``attrs`` has the problem, if there was one.
        outlines: Columns series_uid, measure, value: Dice of each finding (``roi_dice``) or scan (``scan_dice``).
        classes: Columns series_uid, target (0 or 1), class_probability.
    """

    candidates: pd.DataFrame
    outlines: pd.DataFrame
    classes: pd.DataFrame


class SearchParams(NamedTuple):
    """How networks are used: the same for all that are compared."""

    detect: DetectParams
    segment: SegmentParams
    classify: ClassifyParams


def search_test(
    models: Models | None, store: ScanStore, nodules: pd.DataFrame, test: pd.DataFrame, params: SearchParams, work: Path
) -> Found:
    """Searches the test scans, outlines and classifies their known findings.

    Args:
        models: The networks; None where there are none.
        store: The scans.
        nodules: Findings.
        test: Of `scans_of_test`.
        params: How networks are used.
        work: Where masks are written.
    """
    if models is None:
        return nothing_found("There are no such networks.")
    uids = unseen(test)["series_uid"].tolist()
    try:
        candidates = detect(store, uids, models.detector, params.detect, models.reducer)
        outlines = _outlines(models.segmenter, store, nodules, test, uids, params.segment, work)
        classes = _classes(models.classifier, store, nodules, test, uids, params.classify)
    except InputError as error:  # such as scans that are prepared otherwise than when these networks were trained
        return nothing_found(str(error))
    candidates.attrs = {PROBLEM: ""}
    return Found(candidates, outlines, classes)


def nothing_found(problem: str) -> Found:
    """Empty tables, and why."""
    candidates = empty_candidates()
    candidates.attrs = {PROBLEM: problem}
    return Found(candidates, _table([], _OUTLINES), _table([], _CLASSES))


def _outlines(
    segmenter: Checkpoint | None,
    store: ScanStore,
    nodules: pd.DataFrame,
    test: pd.DataFrame,
    uids: list[str],
    params: SegmentParams,
    work: Path,
) -> pd.DataFrame:
    if segmenter is None:
        return _table([], _OUTLINES)
    target = MaskTargetParams(**test.attrs["segmenter"])
    if not segmenter.params["at_place"]:
        outlined = segment_scans(store, uids, segmenter, params, work)
        dice = {
            uid: evaluate_segmentation(store, nodules, [uid], _NO_INTERVAL, whole=outlined, target=target)[0]
            for uid in uids
        }
        rows = [(uid, "scan_dice", found["scan_dice"]) for uid, found in dice.items() if "scan_dice" in found]
        return _table(rows, _OUTLINES)
    places = targets(nodules[nodules["series_uid"].isin(uids) & nodules["has_mask"]], target)
    outlined = segment_at(store, places, segmenter, params, work)
    _, table = evaluate_segmentation(store, nodules, uids, _NO_INTERVAL, at_findings=outlined, target=target)
    if table.empty:
        return _table([], _OUTLINES)
    return table.assign(measure="roi_dice", value=table["roi_dice"])[list(_OUTLINES)].astype(_OUTLINES)


def _classes(
    classifier: Checkpoint | None,
    store: ScanStore,
    nodules: pd.DataFrame,
    test: pd.DataFrame,
    uids: list[str],
    params: ClassifyParams,
) -> pd.DataFrame:
    if classifier is None:
        return _table([], _CLASSES)
    places = nodules[nodules["series_uid"].isin(uids) & (nodules["kind"] == "nodule")].reset_index(drop=True)
    classified = classify_at(store, places, classifier, params)
    target = TargetParams(**test.attrs["classifier"])
    _, table = evaluate_classification(classified, target, EvaluateClassificationParams(n_bootstraps=1))
    return table[list(_CLASSES)].astype(_CLASSES)


def _table(rows: list[tuple[str, str, float]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)
