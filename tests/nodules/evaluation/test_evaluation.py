import math

import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.nodules.evaluation.evaluate import evaluate
from medpipe.nodules.evaluation.froc import bootstrap, drawn_scans, froc
from medpipe.nodules.evaluation.intervals import auc_of_draws
from medpipe.nodules.evaluation.matching import match
from medpipe.nodules.evaluation.params import EvaluateParams

PARAMS = EvaluateParams(n_bootstraps=200)
SCANS = ("a", "b", "c", "d")


def table(kind_of_table: str) -> pd.DataFrame:
    """Four scans; a has two nodules, b one, c and d none. c has a false alarm, d is silent."""
    if kind_of_table == "findings":
        rows = [("a", 0, 5.0, "solid"), ("a", 50, 8.0, "ground-glass"), ("b", 0, 20.0, "solid")]
        findings = pd.DataFrame(rows, columns=["series_uid", "x_mm", "diameter_mm", "texture"])
        findings = findings.assign(kind="nodule", finding_id=[f"f{n}" for n in range(len(rows))])
        return findings.assign(y_mm=0.0, z_mm=0.0)
    rows = [("a", 0, 0.9), ("a", 50, 0.3), ("a", 90, 0.2), ("b", 1, 0.8), ("c", 0, 0.6), ("d", 0, 0.1)]
    return pd.DataFrame(rows, columns=["series_uid", "x_mm", "probability"]).assign(y_mm=0.0, z_mm=0.0, diameter_mm=6.0)


@pytest.fixture(scope="module")
def metrics() -> dict[str, float]:
    return evaluate(table("candidates"), table("findings"), SCANS, PARAMS, threshold=0.5).metrics


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_scans", 4), ("n_scans_without_nodule", 2), ("n_nodules", 3),
        ("tp", 2), ("fn", 1), ("fp", 1), ("sensitivity", 2 / 3), ("precision", 2 / 3),
        ("f1", 2 / 3), ("fp_per_scan", 0.25), ("specificity", 0.5), ("candidate_specificity", 2 / 3), ("scan_auc", 1.0),
        ("sensitivity_under_6mm", 1), ("sensitivity_6_to_10mm", 0), ("sensitivity_over_10mm", 1),
        ("sensitivity_solid", 1), ("sensitivity_ground_glass", 0), ("operating_threshold", 0.5),
    ],
)  # fmt: skip
def test_measures_at_the_operating_threshold(metrics: dict[str, float], name: str, value: float):
    assert metrics[name] == pytest.approx(value)


def test_the_froc_curve_by_hand(metrics: dict[str, float]):
    # Falling thresholds: hit .9, hit .8, false .6, hit .3, false .2, false .1; up to 3/4 false alarms a scan.
    curve = froc(match(table("candidates"), table("findings"), SCANS))
    np.testing.assert_allclose(curve.false_alarms_per_scan, [0, 0, 0, 0.25, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(curve.sensitivity, np.array([0, 1, 2, 2, 3, 3, 3]) / 3)
    assert metrics["sensitivity_at_0.125_fp"] == pytest.approx(2 / 3)
    assert metrics["cpm"] == pytest.approx((2 / 3 + 6) / 7)


@pytest.mark.parametrize(("rate", "threshold"), [(0.0, 0.8), (0.25, 0.3), (0.3, 0.3), (0.5, 0.2), (1.0, 0.1)])
def test_the_operating_threshold_is_the_lowest_within_the_rate(rate: float, threshold: float):
    assert froc(match(table("candidates"), table("findings"), SCANS)).threshold_at(rate) == threshold


def test_every_share_lies_within_its_interval(metrics: dict[str, float]):
    headline = [name.removesuffix("_low") for name in metrics if name.endswith("_low")]
    assert {"cpm", "sensitivity", "precision", "specificity", "f1", "fp_per_scan"} <= set(headline)
    for name in headline:
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]


def test_matches_name_every_nodule_and_every_other_candidate():
    matches = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, threshold=0.5).matches
    assert matches["outcome"].value_counts().to_dict() == {"hit": 3, "false alarm": 3}
    assert matches.loc[matches["alarm"], "series_uid"].tolist() == ["a", "b", "c"]


def test_nothing_found_is_a_cpm_of_zero():
    result = evaluate(table("candidates").iloc[:0], table("findings"), SCANS, PARAMS)
    assert result.metrics["cpm"] == 0
    assert result.metrics["specificity"] == 1
    assert "precision" not in result.metrics
    assert set(result.matches["outcome"]) == {"miss"}


def test_without_nodules_sensitivity_is_absent_and_specificity_there():
    metrics = evaluate(table("candidates"), table("findings").iloc[:0], SCANS, PARAMS, threshold=0.5).metrics
    assert "cpm" not in metrics
    assert "sensitivity" not in metrics
    assert metrics["specificity"] == 0.25  # a, b and c have alarms, which are false now; d is silent
    assert all(math.isfinite(value) for value in metrics.values())


def test_the_bootstrap_is_that_of_whole_scans():
    """Against a plain bootstrap that copies candidates scan by scan."""
    matching = match(table("candidates"), table("findings"), SCANS)
    ours = bootstrap(matching, n_samples=50, seed=1)
    expected = []
    for draw in drawn_scans(len(SCANS), 50, 1):
        copies = [(uid, f"{uid}{copy}") for uid, times in zip(SCANS, draw, strict=True) for copy in range(times)]
        parts = [
            pd.concat([frame[frame["series_uid"] == uid].assign(series_uid=name) for uid, name in copies])
            for frame in (table("candidates"), table("findings"))
        ]
        if len(parts[1]):
            expected.append(froc(match(*parts, [name for _, name in copies])).sensitivity_at())
    np.testing.assert_allclose(ours.samples, expected)


def test_a_bootstrap_without_nodules_is_refused():
    with pytest.raises(ValueError, match="no scan has a nodule"):
        bootstrap(match(table("candidates"), table("findings").iloc[:0], SCANS))


def test_results_by_source():
    sources = {"a": "luna16", "b": "DICOM / x", "c": "luna16", "d": "luna16"}
    metrics = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.5, sources=sources).metrics
    assert metrics["sensitivity_source_luna16"] == 0.5
    assert metrics["sensitivity_source_DICOM_x"] == 1
    assert metrics["fp_per_scan_source_luna16"] == pytest.approx(1 / 3)
    assert metrics["n_nodules_source_luna16"] == 2
    # Of luna16's three scans: hit .9, false .6 (1/3 a scan), hit .3, two more false.
    rates = np.array([0.125, 0.25, 0.5, 1, 2, 4, 8])
    assert metrics["cpm_source_luna16"] == pytest.approx(
        np.interp(rates, [0, 0, 1 / 3, 1 / 3, 1], [0, 0.5, 0.5, 1, 1]).mean()
    )


def test_results_by_patient():
    """Scans a and c are of one patient: found in a. Of the healthy, d stays below the threshold."""
    patients = {"a": "p", "b": "q", "c": "p", "d": "r"}
    metrics = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.5, patients=patients).metrics
    assert metrics["n_patients"] == 3
    assert metrics["n_patients_without_nodule"] == 1
    assert metrics["patient_sensitivity"] == 1
    assert metrics["patient_specificity"] == 1
    assert metrics["patient_auc"] == 1
    assert metrics["cpm_by_patient_low"] <= metrics["cpm"] <= metrics["cpm_by_patient_high"]
    strict = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.85, patients=patients).metrics
    assert strict["patient_sensitivity"] == 0.5


def test_one_scan_a_patient_changes_no_interval():
    patients = {uid: f"patient {uid}" for uid in SCANS}
    plain = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.5).metrics
    by_patient = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.5, patients=patients).metrics
    assert plain.items() <= by_patient.items()
    assert "cpm_by_patient_low" not in by_patient
    assert by_patient["patient_auc_low"] == plain["scan_auc_low"]


def test_patients_are_drawn_with_all_their_scans():
    """Ten copies of each scan tell nothing new: the interval by patient stays wide, that by scan shrinks."""
    copies = [f"{uid}{n}" for uid in SCANS for n in range(10)]
    parts = [
        pd.concat([table(kind)[table(kind)["series_uid"] == name[0]].assign(series_uid=name) for name in copies])
        for kind in ("candidates", "findings")
    ]
    findings = parts[1].assign(finding_id=[str(n) for n in range(len(parts[1]))])
    by_scan = evaluate(parts[0], findings, copies, PARAMS, 0.5).metrics
    by_patient = evaluate(parts[0], findings, copies, PARAMS, 0.5, patients={name: name[0] for name in copies}).metrics
    four_scans = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, 0.5).metrics
    assert by_patient["fp_per_scan_low"] == four_scans["fp_per_scan_low"] < by_scan["fp_per_scan_low"]
    assert (by_patient["cpm_low"], by_patient["cpm_high"]) == (by_scan["cpm_low"], by_scan["cpm_high"])


def test_a_threshold_for_each_scan():
    limits = {"a": 0.25, "b": 0.85, "c": 0.5, "d": 0.5}
    result = evaluate(table("candidates"), table("findings"), SCANS, PARAMS, limits)
    assert (result.metrics["tp"], result.metrics["fp"], result.metrics["fn"]) == (2, 1, 1)
    assert "operating_threshold" not in result.metrics
    assert result.matches.loc[result.matches["alarm"], "probability"].tolist() == [0.9, 0.3, 0.6]


def test_the_auc_is_scikit_learns_in_every_drawn_set():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    scores = generator.integers(0, 5, 30) / 4  # with ties
    ill = generator.random(30) < 0.4
    draws = drawn_scans(30, 20, 0)
    expected = [roc_auc_score(np.repeat(ill, draw), np.repeat(scores, draw)) for draw in draws]
    np.testing.assert_allclose(auc_of_draws(scores, ill, draws), expected)


def test_a_mapping_without_a_scan_is_refused():
    with pytest.raises(InputError, match="sources has no entry for 1 of 4 series, the first d"):
        evaluate(table("candidates"), table("findings"), SCANS, PARAMS, sources=dict.fromkeys("abc", "luna16"))
