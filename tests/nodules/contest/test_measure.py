"""Networks compared on small tables of candidates."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medpipe.nodules.contest.measure import mean_of_sets, measure
from medpipe.nodules.contest.params import NoduleGateParams
from medpipe.nodules.contest.search import Found, nothing_found
from medpipe.nodules.evaluation.evaluate import evaluate
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.promotion.gate import decide
from medpipe.promotion.params import HeadlineParams

N_PATIENTS = 20
GATE = NoduleGateParams(n_bootstraps=400)
OUTLINES = {"series_uid": "str", "measure": "str", "value": "float64"}
CLASSES = {"series_uid": "str", "target": "int64", "class_probability": "float64"}


@pytest.fixture(scope="module")
def test_set() -> pd.DataFrame:
    """The first patient has two scans."""
    patients = [0, *range(N_PATIENTS)]
    uids = [f"scan{number:02d}" for number in range(len(patients))]
    table = pd.DataFrame({"series_uid": uids, "patient": patients, "content": uids, "seen_by": ""})
    return table.astype({"series_uid": "str", "seen_by": "str"})


@pytest.fixture(scope="module")
def nodules(test_set) -> pd.DataFrame:
    """Three nodules a scan, 40 mm apart."""
    rows = [(f"{uid}-{n}", uid, 40.0 * n) for uid in test_set["series_uid"] for n in range(3)]
    table = pd.DataFrame(rows, columns=["finding_id", "series_uid", "x_mm"])
    return table.assign(y_mm=0.0, z_mm=0.0, diameter_mm=10.0, kind="nodule")


def candidates(nodules: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """This share of the nodules is found, beside a false alarm a scan."""
    rng = np.random.default_rng(seed)
    found = nodules[rng.random(len(nodules)) < share].assign(probability=lambda rows: 0.3 + 0.7 * rng.random(len(rows)))
    false = nodules.drop_duplicates("series_uid").assign(x_mm=200.0, probability=0.5)
    return pd.concat([found, false])[["series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "probability"]]


def found(table: pd.DataFrame, outlines=(), classes=()) -> Found:
    return Found(
        table,
        pd.DataFrame(outlines, columns=list(OUTLINES)).astype(OUTLINES),
        pd.DataFrame(classes, columns=list(CLASSES)).astype(CLASSES),
    )


def score(given: Found, nodules: pd.DataFrame, test_set: pd.DataFrame):
    return measure(given, nodules, test_set, GATE, 100)


def test_values_and_sets_are_those_of_the_evaluation(nodules, test_set):
    table = candidates(nodules, 0.6, 1)
    scores = score(found(table), nodules, test_set)
    patients = dict(zip(test_set["series_uid"], test_set["patient"].astype(str), strict=True))
    params = EvaluateParams(n_bootstraps=400)
    expected = evaluate(table, nodules, test_set["series_uid"].tolist(), params, patients=patients).metrics
    assert scores.n_units == N_PATIENTS
    assert scores.values["cpm"] == pytest.approx(expected["cpm"])
    assert scores.values["sensitivity_at_1_fp"] == pytest.approx(expected["sensitivity_at_1_fp"])
    assert np.quantile(scores.drawn["cpm"], 0.025) == pytest.approx(expected["cpm_by_patient_low"], abs=0.01)


def test_networks_that_find_more_are_promoted_and_equal_ones_are_not(nodules, test_set):
    few, more = (score(found(candidates(nodules, share, 1)), nodules, test_set) for share in (0.4, 0.8))
    versions = {"champion_version": "1", "challenger_version": "2"}
    assert decide(few, more, GATE, **versions).outcome == "promote"
    assert decide(few, few, GATE, **versions).outcome == "keep"
    assert decide(more, few, GATE, **versions).headline.verdict == "worse"


def test_outlines_that_got_worse_keep_the_champion(nodules, test_set):
    uids = test_set["series_uid"].tolist()
    few, more = (candidates(nodules, share, 1) for share in (0.4, 0.8))
    before = found(few, [(uid, "roi_dice", 0.8) for uid in uids])
    after = found(more, [(uid, "roi_dice", 0.7) for uid in uids])
    decision = decide(
        score(before, nodules, test_set), score(after, nodules, test_set), GATE,
        champion_version="1", challenger_version="2",
    )  # fmt: skip
    assert decision.outcome == "keep"
    assert "roi_dice is 0.7 against 0.8: the loss 0.1 is beyond the tolerance 0.02" in decision.reason


def test_auc_is_that_of_scikit_learn(nodules, test_set):
    rng = np.random.default_rng(0)
    classes = [(uid, n % 2, rng.random() * 0.5 + 0.3 * (n % 2)) for n, uid in enumerate(test_set["series_uid"])]
    scores = score(found(candidates(nodules, 0.5, 1), classes=classes), nodules, test_set)
    expected = roc_auc_score([row[1] for row in classes], [row[2] for row in classes])
    assert scores.values["auc"] == pytest.approx(expected)
    assert np.isfinite(scores.drawn["auc"]).mean() > 0.9


def test_rows_are_drawn_with_their_patient():
    sets = np.array([[1, 1], [2, 0], [0, 0]])
    means = mean_of_sets(pd.Series([1.0, 0.0, 0.5]), pd.Series([0, 0, 1]), sets)
    np.testing.assert_allclose(means, [0.5, 0.5, np.nan])


def test_without_nodules_there_is_no_cpm(nodules, test_set):
    scores = score(found(candidates(nodules, 0.5, 1)), nodules.iloc[:0], test_set)
    assert scores.values == {}
    decision = decide(None, scores, GATE, challenger_version="1")
    assert (decision.outcome, decision.reason) == (
        "undecided",
        "There are no patients with nodules of test: nothing can be measured.",
    )


def test_one_patient_with_a_nodule_among_many_without_decides_nothing(nodules, test_set):
    one = nodules[nodules["series_uid"] == "scan05"]
    none, all_of_them = (score(found(candidates(one, share, 1)), one, test_set) for share in (0.0, 1.0))
    decision = decide(none, all_of_them, GATE, champion_version="1", challenger_version="2")
    assert decision.outcome == "undecided"
    assert "The test has 1 patients with nodules, at least 10 are needed" in decision.reason


def test_every_patient_counts_for_an_organ(nodules, test_set):
    organ = NoduleGateParams(n_bootstraps=100, headline=HeadlineParams(metric="scan_dice", better="higher"))
    outlines = [(uid, "scan_dice", 0.9) for uid in test_set["series_uid"]]
    scores = measure(found(candidates(nodules, 0.5, 1), outlines), nodules.iloc[:0], test_set, organ, 100)
    assert (scores.n_units, scores.unit) == (N_PATIENTS, "patients")


def test_patients_that_a_model_was_trained_on_do_not_count(nodules, test_set):
    seen = test_set.assign(seen_by=["champion"] * 5 + [""] * (len(test_set) - 5))
    assert score(found(candidates(nodules, 0.5, 1)), nodules, seen).n_units == N_PATIENTS - 4


def test_a_problem_goes_on_to_the_scores(nodules, test_set):
    assert score(nothing_found("Another spacing."), nodules, test_set).problem == "Another spacing."


def test_the_fingerprint_is_that_of_scans_and_findings(nodules, test_set):
    given = found(candidates(nodules, 0.5, 1))
    first = score(given, nodules, test_set).test
    assert score(found(candidates(nodules, 0.9, 2)), nodules.sample(frac=1, random_state=0), test_set).test == first
    assert score(given, nodules.assign(diameter_mm=11.0), test_set).test != first
    assert score(given, nodules, test_set.assign(content="prepared anew")).test != first
    assert score(given, nodules, test_set.iloc[1:]).test != first
