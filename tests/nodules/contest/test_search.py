"""The frozen test scans, and networks at work on them."""

from dataclasses import replace

import pandas as pd
import pytest

from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.contest.frozen import scans_of_test
from medpipe.nodules.contest.search import SearchParams, search_test
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.findings.models import Models
from medpipe.nodules.segmentation.params import MaskTargetParams, SegmentParams
from tests.nodules.findings.networks import N_CANDIDATES, ignorant_networks
from tests.nodules.segmentation.conftest import Balls, balls  # noqa: F401 - a fixture

SEARCH = SearchParams(
    DetectParams(min_probability=0.0, max_candidates=N_CANDIDATES, min_distance_mm=30.0, accelerator="cpu"),
    SegmentParams(accelerator="cpu", mirror_average=False),
    ClassifyParams(accelerator="cpu"),
)


@pytest.fixture(scope="module")
def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scans 0 and 1 are of one patient; scans 0 to 2 are test."""
    scans = pd.DataFrame({"series_uid": [f"scan{n}" for n in range(5)], "patient_id": list("aabcd"), "accepted": True})
    splits = pd.DataFrame({"patient_id": list("abcd"), "split": ["test", "test", "train", "val"]})
    return scans, splits


def networks(series: dict[str, list[str]]) -> Models:
    models = ignorant_networks()
    target = {"target": MaskTargetParams().model_dump(mode="json")}
    segmenter = replace(models.segmenter, params=models.segmenter.params | target)
    return Models(replace(models.detector, provenance={"series": series}), segmenter=segmenter)


TRAINED = {"train": ["scan3"], "val": ["scan4"]}


def test_all_test_scans_can_be_used_by_whom_was_trained_on_others(balls: Balls, cohort):  # noqa: F811
    test = scans_of_test(balls.store, *cohort, {"champion": networks(TRAINED), "challenger": networks(TRAINED)})
    assert test["series_uid"].tolist() == ["scan0", "scan1", "scan2"]
    assert test["patient"].tolist() == [0, 0, 1]
    assert test["seen_by"].tolist() == ["", "", ""]
    assert test["content"].nunique() == 3


def test_all_scans_of_a_patient_whom_a_model_knows_are_left_out(balls: Balls, cohort, caplog):  # noqa: F811
    models = {"champion": networks({"train": ["scan1"]}), "challenger": networks({"val": ["scan1", "gone"]})}
    test = scans_of_test(balls.store, *cohort, models)
    assert test["seen_by"].tolist() == ["champion, challenger", "champion, challenger", ""]
    assert "2 of 3 scans of test are left out: the champion was trained on them" in caplog.text


def test_networks_find_and_outline(balls: Balls, cohort, tmp_path):  # noqa: F811
    models = networks(TRAINED)
    nodules = balls.nodules.assign(has_mask=True)
    test = scans_of_test(balls.store, *cohort, {"challenger": models})
    found = search_test(models, balls.store, nodules, test, SEARCH, tmp_path)
    assert sorted(set(found.candidates["series_uid"])) == ["scan0", "scan1", "scan2"]
    assert found.outlines["measure"].unique().tolist() == ["scan_dice"]
    assert found.outlines["value"].min() > 0.7
    assert found.classes.empty
    found.candidates.to_parquet(tmp_path / "candidates.parquet")
    assert pd.read_parquet(tmp_path / "candidates.parquet").attrs == {"problem": ""}


def test_networks_of_another_spacing_are_a_problem_not_a_crash(balls: Balls, cohort, tmp_path):  # noqa: F811
    models = networks(TRAINED)
    models = replace(models, detector=replace(models.detector, params=models.detector.params | {"spacing_mm": 1.0}))
    test = scans_of_test(balls.store, *cohort, {"champion": models})
    found = search_test(models, balls.store, balls.nodules.assign(has_mask=True), test, SEARCH, tmp_path)
    assert found.candidates.empty
    assert "was trained at 1.0" in found.candidates.attrs["problem"]
