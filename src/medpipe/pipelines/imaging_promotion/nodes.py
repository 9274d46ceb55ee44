"""The nodes of ``imaging_promotion``: each calls the library."""

from pathlib import Path

import pandas as pd

from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.contest.params import NoduleGateParams
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.nodules.findings.models import Models
from medpipe.nodules.segmentation.params import SegmentParams
from medpipe.pipelines.promotion import nodes
from medpipe.registry.dataset import Contestant


def freeze_test(
    store: ScanStore, scans: pd.DataFrame, splits: pd.DataFrame, champion: Contestant, challenger: Contestant
) -> pd.DataFrame:
    """The test scans, and which of the two was trained on any of their patients."""
    from medpipe.nodules.contest.frozen import scans_of_test

    found = {"champion": _models(champion), "challenger": _models(challenger)}
    return scans_of_test(store, scans, splits, {role: models for role, models in found.items() if models is not None})


def search(
    contestant: Contestant,
    store: ScanStore,
    nodules: pd.DataFrame,
    test: pd.DataFrame,
    detect: DetectParams,
    segment: SegmentParams,
    classify: ClassifyParams,
    work: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One of the two on the test scans: candidates, Dice of outlines, probabilities of classes."""
    from medpipe.nodules.contest.search import SearchParams, search_test

    params = SearchParams(detect, segment, classify)
    found = search_test(_models(contestant), store, nodules, test, params, work)
    found.candidates.attrs[nodes.VERSION] = contestant.number
    return found.candidates, found.outlines, found.classes


def measure(
    candidates: pd.DataFrame,
    outlines: pd.DataFrame,
    classes: pd.DataFrame,
    nodules: pd.DataFrame,
    test: pd.DataFrame,
    params: NoduleGateParams,
    evaluate: EvaluateParams,
) -> pd.DataFrame:
    """Sensitivity, Dice and AUC of all test scans, and of sets of patients."""
    from medpipe.nodules.contest.measure import measure
    from medpipe.nodules.contest.search import Found

    scores = measure(Found(candidates, outlines, classes), nodules, test, params, evaluate.max_marks)
    return nodes.scores_table(scores, candidates.attrs[nodes.VERSION])


def decide(
    champion: Contestant,
    challenger: Contestant,
    champion_scores: pd.DataFrame,
    challenger_scores: pd.DataFrame,
    params: NoduleGateParams,
) -> nodes.Decided:
    """Decides by the rule, and promotes or refuses the challenger in the registry."""
    return nodes.decide(champion, challenger, champion_scores, challenger_scores, params)


def _models(contestant: Contestant) -> Models | None:
    from medpipe.nodules.findings.models import ModelFolder

    return None if contestant.version is None else ModelFolder(contestant.file("networks")).load()
