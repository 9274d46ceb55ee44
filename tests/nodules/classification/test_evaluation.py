import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_curve

from medpipe.nodules.classification.evaluate import evaluate_classification, roc_table
from medpipe.nodules.classification.params import EvaluateClassificationParams, TargetParams

TARGET = TargetParams(column="malignancy", positive_min=4, negative_max=2)
PARAMS = EvaluateClassificationParams(n_bootstraps=100)
SHARES = ("auc", "sensitivity", "specificity", "ppv", "npv", "accuracy", "brier", "calibration_error")


def findings(malignancy, probability, series_uids=None) -> pd.DataFrame:
    count = len(malignancy)
    return pd.DataFrame(
        {
            "finding_id": [f"f{number}" for number in range(count)],
            "series_uid": series_uids or [f"s{number}" for number in range(count)],
            "kind": "nodule",
            "malignancy": malignancy,
            "class_probability": probability,
        }
    )


@pytest.fixture
def many() -> pd.DataFrame:
    generator = np.random.default_rng(4)
    malignancy = generator.choice([1.0, 2.0, 4.0, 5.0], 120)
    probability = np.clip(0.25 * (malignancy >= 4) + generator.uniform(0, 0.75, 120), 0, 1).round(2)
    return findings(malignancy, probability, [f"s{number // 3}" for number in range(120)])


def test_metrics_by_hand():
    # Four positives at .9 .8 .6 .3, three negatives at .7 .2 .1: one miss and one false alarm at 0.5
    malignancy = [5, 4, 4, 5, 1, 2, 2, 3, None]
    table = findings(malignancy, [0.9, 0.8, 0.6, 0.3, 0.7, 0.2, 0.1, 0.5, 0.5])
    metrics, rows = evaluate_classification(table, TARGET, PARAMS)
    expected = {"n_positive": 4, "n_negative": 3, "n_between": 1, "n_unknown": 1, "n_findings": 7}
    expected |= {"n_tp": 3, "n_fn": 1, "n_fp": 1, "n_tn": 2}
    expected |= {"sensitivity": 3 / 4, "specificity": 2 / 3, "ppv": 3 / 4, "npv": 2 / 3, "accuracy": 5 / 7}
    expected |= {"auc": 10 / 12, "brier": (0.01 + 0.04 + 0.16 + 0.49 + 0.49 + 0.04 + 0.01) / 7}
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert list(rows["target"]) == [1, 1, 1, 1, 0, 0, 0]
    assert list(rows["positive"]) == [True, True, True, False, True, False, False]


def test_the_auc_is_the_mann_whitney_statistic(many: pd.DataFrame):
    metrics, _ = evaluate_classification(many, TARGET, PARAMS)
    positive = many["malignancy"] >= 4
    statistic = mannwhitneyu(many["class_probability"][positive], many["class_probability"][~positive]).statistic
    assert metrics["auc"] == pytest.approx(statistic / positive.sum() / (~positive).sum())


def test_the_calibration_error_is_torchmetrics(many: pd.DataFrame):
    from torchmetrics.functional.classification import binary_calibration_error

    # No probability on the edge of a bin, where the two put it on different sides
    many["class_probability"] = (many["class_probability"] + 0.005).clip(upper=0.995)
    metrics, rows = evaluate_classification(many, TARGET, PARAMS)
    probability = torch.tensor(rows["class_probability"].to_numpy(np.float32))
    peer = binary_calibration_error(probability, torch.tensor(rows["target"].to_numpy()), n_bins=10)
    assert metrics["calibration_error"] == pytest.approx(float(peer), abs=1e-5)


def test_every_share_has_an_interval_around_it(many: pd.DataFrame):
    metrics, _ = evaluate_classification(many, TARGET, PARAMS)
    assert all(metrics[f"{name}_low"] < metrics[f"{name}_high"] for name in SHARES)
    assert all(metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"] for name in SHARES[:6])


def test_findings_of_a_patient_are_drawn_together(many: pd.DataFrame):
    # Each finding ten times over: by finding the interval would be three times narrower
    copies = pd.concat([many] * 10, ignore_index=True)
    once, _ = evaluate_classification(many.assign(series_uid=many.index.astype(str)), TARGET, PARAMS)
    uids = pd.Series([str(number % len(many)) for number in range(len(copies))])
    grouped, _ = evaluate_classification(copies.assign(series_uid=uids), TARGET, PARAMS)
    apart, _ = evaluate_classification(copies.assign(series_uid=copies.index.astype(str)), TARGET, PARAMS)
    widths = [metrics["auc_high"] - metrics["auc_low"] for metrics in (once, grouped, apart)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)
    assert widths[2] < 0.5 * widths[1]


def test_patients_join_their_scans(many: pd.DataFrame):
    patients = {uid: f"p{int(uid[1:]) // 2}" for uid in many["series_uid"]}
    _, rows = evaluate_classification(many, TARGET, PARAMS, patients=patients)
    assert rows.groupby("patient")["series_uid"].nunique().eq(2).all()
    assert rows["patient"].nunique() == many["series_uid"].nunique() / 2


def test_findings_of_one_class_have_no_auc(caplog: pytest.LogCaptureFixture):
    metrics, rows = evaluate_classification(findings([1, 2, 2], [0.1, 0.6, 0.3]), TARGET, PARAMS)
    assert not {"auc", "sensitivity"} & set(metrics)
    assert metrics["specificity"] == pytest.approx(2 / 3)
    assert metrics["n_positive"] == 0
    assert "not of both classes" in caplog.text
    assert roc_table(rows, PARAMS).empty


def test_no_finding_at_all_is_counted():
    metrics, rows = evaluate_classification(findings([3.0, None], [0.2, 0.3]), TARGET, PARAMS)
    assert metrics["n_findings"] == 0
    assert rows.empty
    assert not set(SHARES) & set(metrics)


def test_the_roc_table_is_the_curve_with_its_interval(many: pd.DataFrame):
    _, rows = evaluate_classification(many, TARGET, PARAMS)
    curve = roc_table(rows, PARAMS)
    points, band = curve[curve["low"].isna()], curve[curve["low"].notna()]
    false, hit, _ = roc_curve(rows["target"], rows["class_probability"])
    np.testing.assert_allclose(points[["false_positive_rate", "sensitivity"]], np.stack([false, hit], axis=1))
    assert (band["low"] <= band["high"]).all()
    assert band["low"].is_monotonic_increasing
    inside = band["sensitivity"].between(band["low"] - 1e-9, band["high"] + 1e-9)
    assert inside.mean() > 0.95
