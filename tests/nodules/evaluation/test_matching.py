import numpy as np
import pandas as pd
import pytest

from medpipe.nodules.evaluation.matching import match, within_mark_limit


def marks(*rows: tuple[str, float, float]) -> pd.DataFrame:
    """Candidates (scan, x, probability) on the x axis."""
    table = pd.DataFrame(rows, columns=["series_uid", "x_mm", "probability"])
    return table.assign(y_mm=0.0, z_mm=0.0, diameter_mm=5.0)


def finds(*rows: tuple[str, float, float, str]) -> pd.DataFrame:
    """Findings (scan, x, diameter, kind) on the x axis."""
    table = pd.DataFrame(rows, columns=["series_uid", "x_mm", "diameter_mm", "kind"])
    return table.assign(y_mm=0.0, z_mm=0.0, finding_id=[f"f{n}" for n in range(len(rows))])


def outcomes(candidates: pd.DataFrame, findings: pd.DataFrame, scans: tuple[str, ...] = ("a",)) -> list[str]:
    return match(candidates, findings, scans).candidates["outcome"].tolist()


@pytest.mark.parametrize(
    ("x_mm", "outcome"), [(0.0, "hit"), (4.99, "hit"), (-4.99, "hit"), (5.0, "false alarm"), (5.01, "false alarm")]
)
def test_a_hit_lies_strictly_within_the_radius(x_mm: float, outcome: str):
    assert outcomes(marks(("a", x_mm, 0.5)), finds(("a", 0.0, 10.0, "nodule"))) == [outcome]


def test_a_candidate_of_another_scan_hits_nothing():
    assert outcomes(marks(("b", 0.0, 0.5)), finds(("a", 0.0, 10.0, "nodule")), ("a", "b")) == ["false alarm"]


def test_the_best_of_two_hits_counts_and_the_other_is_no_false_alarm():
    matching = match(marks(("a", 0, 0.4), ("a", 1, 0.9)), finds(("a", 0, 10, "nodule")), ("a",))
    assert matching.candidates["outcome"].tolist() == ["double", "hit"]
    assert matching.nodules["probability"].tolist() == [0.9]
    assert matching.n_doubles == 1


def test_candidates_on_irrelevant_findings_are_ignored():
    matching = match(marks(("a", 0, 0.9)), finds(("a", 0, 10, "irrelevant")), ("a",))
    assert matching.candidates["outcome"].tolist() == ["ignored"]
    assert matching.n_ignored == 1


def test_a_nodule_goes_before_an_irrelevant_finding():
    findings = finds(("a", 0, 10, "irrelevant"), ("a", 1, 10, "nodule"))
    matching = match(marks(("a", 0, 0.9)), findings, ("a",))
    assert matching.candidates[["outcome", "finding_id"]].values.tolist() == [["hit", "f1"]]
    assert matching.n_ignored == 0


def test_one_candidate_can_hit_two_overlapping_nodules():
    matching = match(marks(("a", 0, 0.9)), finds(("a", 1, 10, "nodule"), ("a", -1, 10, "nodule")), ("a",))
    assert matching.nodules["hit"].all()


@pytest.mark.parametrize("diameter", [-1.0, np.nan])
def test_an_unknown_diameter_is_ten_millimetres(diameter: float):
    findings = finds(("a", 0, diameter, "irrelevant"))
    assert outcomes(marks(("a", 4.9, 0.5), ("a", 5.1, 0.5)), findings) == ["ignored", "false alarm"]


def test_ties_at_the_mark_limit_are_all_dropped():
    candidates = marks(*[("a", 0, p) for p in (0.9, 0.8, 0.5, 0.5, 0.5, 0.1)], ("b", 0, 0.1))
    assert within_mark_limit(candidates, 4).tolist() == [True, True, False, False, False, False, True]


def test_scans_that_are_not_evaluated_are_left_out():
    matching = match(marks(("b", 0, 0.5)), finds(("b", 0, 10, "nodule")), ("a",))
    assert len(matching.candidates) == len(matching.nodules) == 0


def test_a_scan_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        match(marks(), finds(), ("a", "a"))
