import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medpipe.ct.cohort_report.drift import ALPHA, DRIFT_COLUMNS, MAX_GRID, drift_table, holm
from medpipe.ct.cohort_report.features import Feature, Features, HuHistograms, collect
from tests.ct.cohort_report.cohorts import HU_WINDOW, Cohort, draw, histogram

N_COHORTS = 90
"""Cohorts without drift; at a rate of 5 %, more than 11 flagged ones have a chance of 0.2 %."""
MOST_FLAGGED = 11


def feature(name, kind, train, test, patients=None) -> Features:
    """One feature; a patient a value, unless told."""
    split = ["train"] * len(train) + ["test"] * len(test)
    patients = range(len(split)) if patients is None else patients
    values = pd.DataFrame({"split": split, "patient": list(patients), "value": [*train, *test]})
    return Features(pd.DataFrame(), (Feature(name, kind, values),), None)


def row(features: Features, split="test", n_permutations=4999) -> pd.Series:
    table = drift_table(features, n_permutations=n_permutations)
    return table[table["split"] == split].iloc[0]


def drift_of(cohort: Cohort, n_permutations=1999) -> pd.DataFrame:
    features = collect(cohort.scans, cohort.nodules, cohort.splits, list(cohort.records), cohort.records)
    return drift_table(features, n_permutations=n_permutations)


@pytest.mark.parametrize("seed", range(5))
def test_numbers_of_few_patients_agree_with_scipys_exact_test(seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(0, 1, 7), rng.normal(0.8, 1, 5)
    expected = stats.ks_2samp(train, test, method="exact")
    found = row(feature("x_mm", "number", train, test))
    assert found["distance"] == pytest.approx(expected.statistic)
    assert found["p_value"] == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("seed", range(3))
def test_numbers_of_many_patients_agree_with_scipy(seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(0, 1, 120), rng.normal(0.3, 1, 60)
    expected = stats.ks_2samp(train, test, method="exact")
    found = row(feature("x_mm", "number", train, test))
    assert found["distance"] == pytest.approx(expected.statistic)
    four_sigma = 4 * np.sqrt(expected.pvalue * (1 - expected.pvalue) / 4999) + 2 / 5000
    assert found["p_value"] == pytest.approx(expected.pvalue, abs=four_sigma)


def test_more_numbers_than_the_grid_holds_are_still_near_scipys():
    rng = np.random.default_rng(0)
    train, test = rng.normal(0, 1, 900), rng.normal(0.2, 1, 500)
    found = row(feature("x_mm", "number", train, test), n_permutations=99)
    assert found["distance"] == pytest.approx(stats.ks_2samp(train, test).statistic, abs=2 / MAX_GRID)


def test_categories_agree_with_scipys_permutation_test():
    train, test = list("aaaabbc"), list("bbcc")

    def total_variation(one, other):
        return sum(abs(np.mean(one == code) - np.mean(other == code)) for code in range(3)) / 2

    codes = [np.array([ord(letter) - ord("a") for letter in part]) for part in (train, test)]
    # Rounded, as scipy counts only exact ties as ties.
    expected = stats.permutation_test(
        codes, lambda one, other: round(total_variation(one, other), 9), vectorized=False, alternative="greater"
    )
    found = row(feature("kernel", "category", train, test))
    assert found["distance"] == pytest.approx(expected.statistic)
    assert found["p_value"] == pytest.approx(expected.pvalue)
    assert found["summary"] == "a: 57% of train, 0% of test"


def test_hounsfield_units_have_scipys_wasserstein_distance():
    rng = np.random.default_rng(0)
    shares = np.stack([histogram(rng, 20.0 * (number >= 6)) for number in range(10)]).astype(float)
    shares /= shares.sum(axis=1, keepdims=True)
    split = np.array(["train"] * 6 + ["test"] * 4, dtype=object)
    hu = np.linspace(*HU_WINDOW, shares.shape[1])
    found = row(Features(pd.DataFrame(), (), HuHistograms(hu, shares, split, np.arange(10))))
    expected = stats.wasserstein_distance(hu, hu, shares[:6].mean(axis=0), shares[6:].mean(axis=0))
    assert found["distance"] == pytest.approx(expected)
    assert found["p_value"] == pytest.approx(1 / 210)  # 10 patients in groups of 6 and 4: the one extreme dealing


def test_a_patients_scans_count_as_one_patient():
    rng = np.random.default_rng(0)
    train, test = rng.normal(0, 1, 30), rng.normal(0.5, 1, 20)
    once = row(feature("x_mm", "number", train, test))
    patients = np.concatenate([np.repeat(np.arange(30), 10), np.arange(30, 50)])
    often = row(feature("x_mm", "number", np.repeat(train, 10), test, patients))
    assert (often["distance"], often["p_value"]) == (pytest.approx(once["distance"]), once["p_value"])
    assert (often["n_train_patients"], often["n_train"], often["n_patients"], often["n"]) == (30, 300, 20, 20)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # R: p.adjust(c(.01, .04, .03, .005), "holm")
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, np.nan, 0.03], [0.04, np.nan, 0.04]),
        ([np.nan], [np.nan]),
        ([], []),
    ],
)
def test_holm(p_values, expected):
    np.testing.assert_allclose(holm(np.array(p_values, dtype=float)), expected)


def test_random_splits_of_one_population_are_seldom_flagged():
    flagged, chances = 0, []
    for seed in range(N_COHORTS):
        table = drift_of(draw(40, seed), n_permutations=499)
        flagged += bool(table["drifted"].any())
        chances += table["p_value"].dropna().tolist()
    assert flagged <= MOST_FLAGGED
    # Ties make the tests a little shy, never bold.
    assert 0.02 <= np.mean(np.array(chances) <= ALPHA) <= 0.06


def shift_kernel(cohort: Cohort, there: pd.Series) -> None:
    cohort.scans.loc[there, "kernel"] = "B70f"


def shift_slices(cohort: Cohort, there: pd.Series) -> None:
    cohort.scans.loc[there, "spacing_z_mm"] += 0.75


def shift_nodules(cohort: Cohort, there: pd.Series) -> None:
    larger = cohort.nodules["series_uid"].isin(cohort.scans.loc[there, "series_uid"])
    cohort.nodules.loc[larger, "diameter_mm"] *= 2.0


def shift_hu(cohort: Cohort, there: pd.Series) -> None:
    rng = np.random.default_rng(0)
    for uid in cohort.scans.loc[there, "series_uid"]:
        cohort.records[uid]["histogram"] = histogram(rng, 40.0).tolist()


@pytest.mark.parametrize(
    ("shift", "name"),
    [
        (shift_kernel, "kernel"),
        (shift_slices, "slice_spacing_mm"),
        (shift_nodules, "diameter_mm"),
        (shift_hu, "hu"),
    ],
)
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_real_shift_is_found_where_it_is(shift, name, split):
    cohort = draw(160, 1)
    assert not drift_of(cohort)["drifted"].any()
    shift(cohort, cohort.of_split(split))
    found = drift_of(cohort)
    found = found[found["drifted"]]
    assert name in set(found["feature"])
    assert set(found["split"]) == {split}
    assert set(found["feature"]) <= {name, "scan_length_mm"}  # which follows from the slices' distance


def test_few_patients_cannot_be_flagged_and_the_table_says_so():
    found = row(feature("x_mm", "number", [1.0, 2.0], [8.0, 9.0]))
    assert found["p_value"] == pytest.approx(2 / 6)
    assert not found["enough_patients"]
    assert not found["drifted"]
    assert row(feature("x_mm", "number", range(10), range(20, 30)))["enough_patients"]


def test_a_split_without_a_value_has_no_distance():
    found = row(feature("x_mm", "number", [1.0, 2.0], [8.0, 9.0]), split="val")
    assert np.isnan(found["distance"])
    assert np.isnan(found["p_value"])
    assert not found["drifted"]
    assert found["n_patients"] == 0


def test_what_never_varies_is_no_test_of_the_family():
    cohort = draw(40, 3)
    cohort.scans["manufacturer"] = "GE"
    table = drift_of(cohort, 199).set_index(["split", "feature"])
    constant = table.loc[[("test", "source"), ("test", "manufacturer")]]
    assert (constant["p_holm"] == 1).all()
    assert not constant["drifted"].any()
    lowest = table["p_value"].idxmin()
    n_varying = len(table) - 4
    assert table.loc[lowest, "p_holm"] == pytest.approx(min(1, table.loc[lowest, "p_value"] * n_varying))


def test_the_same_seed_gives_the_same_table():
    cohort = draw(40, 3)
    pd.testing.assert_frame_equal(drift_of(cohort, 199), drift_of(cohort, 199))


def test_nothing_to_compare_gives_an_empty_table():
    table = drift_table(Features(pd.DataFrame(), (), None))
    assert list(table.columns) == list(DRIFT_COLUMNS)
    assert len(table) == 0
