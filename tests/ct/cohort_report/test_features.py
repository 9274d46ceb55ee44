import numpy as np
import pandas as pd
import pytest

from medpipe.ct.cohort_report.features import NOT_STATED, Feature, Features, collect, mean_of_patients
from tests.ct.cohort_report.cohorts import Cohort

WINDOW = [-1000.0, 400.0]


def scan(uid: str, patient: str, **changes: object) -> dict[str, object]:
    row = {
        "series_uid": uid,
        "patient_id": patient,
        "source": "lidc",
        "n_slices": 101,
        "spacing_z_mm": 2.5,
        "spacing_y_mm": 0.8,
        "spacing_x_mm": 0.8,
        "kernel": None,
        "manufacturer": None,
        "model": None,
        "accepted": True,
        "rejection_code": None,
    }
    return row | changes


def nodule(uid: str, **changes: object) -> dict[str, object]:
    row = {"series_uid": uid, "kind": "nodule", "diameter_mm": 8.0, "malignancy": np.nan, "texture": None}
    return row | changes


@pytest.fixture
def cohort() -> Cohort:
    scans = [
        scan("1.1", "Ann", kernel="B30f", spacing_y_mm=0.9, spacing_x_mm=0.4),
        scan("1.2", "Ann"),
        scan("2.1", "Bob"),
        scan("3.1", "Cat"),
        scan("4.1", "Dan", accepted=False, rejection_code="not_ct"),
        scan("5.1", "Eve"),
    ]
    nodules = [
        nodule("1.1", malignancy=4.0),
        nodule("1.1", diameter_mm=np.nan),
        nodule("1.2", kind="irrelevant"),
        nodule("2.1", texture="solid"),
        nodule("5.1"),
    ]
    splits = pd.DataFrame({"patient_id": ["Ann", "Bob", "Cat", "Eve"], "split": ["train", "train", "test", "val"]})
    return Cohort(pd.DataFrame(scans), pd.DataFrame(nodules), splits)


def of(cohort: Cohort, prepared=("1.1", "1.2", "2.1", "3.1")) -> Features:
    return collect(cohort.scans, cohort.nodules, cohort.splits, prepared, cohort.records)


def values(features: Features, name: str) -> list[object]:
    return next(feature for feature in features.features if feature.name == name).values["value"].tolist()


def test_only_accepted_and_prepared_scans_count(cohort):
    assert of(cohort).scans["series_uid"].tolist() == ["1.1", "1.2", "2.1", "3.1"]
    assert of(cohort).scans["split"].tolist() == ["train", "train", "train", "test"]


def test_patients_are_numbers_that_tell_only_who_is_the_same(cohort):
    assert of(cohort).scans["patient"].tolist() == [0, 0, 1, 2]


def test_numbers_of_scans(cohort):
    features = of(cohort)
    assert values(features, "pixel_spacing_mm") == pytest.approx([0.6, 0.8, 0.8, 0.8])
    assert values(features, "scan_length_mm") == [250.0] * 4
    assert values(features, "slice_spacing_mm") == [2.5] * 4


def test_scans_without_a_nodule_count_as_none_and_irrelevant_findings_not_at_all(cohort):
    assert values(of(cohort), "nodules_per_scan") == [2, 0, 1, 0]


def test_unknown_diameters_and_ratings_are_left_out(cohort):
    features = of(cohort)
    assert values(features, "diameter_mm") == [8.0, 8.0]
    assert values(features, "malignancy") == [4.0]
    assert values(features, "texture") == ["solid"]


def test_a_kernel_that_only_some_files_state_is_a_category_of_its_own(cohort):
    assert values(of(cohort), "kernel") == ["B30f", NOT_STATED, NOT_STATED, NOT_STATED]


def test_what_no_file_states_is_no_feature(cohort):
    assert not {"manufacturer", "model"} & {feature.name for feature in of(cohort).features}


def test_histograms_are_shares_at_the_middle_of_their_bins(cohort):
    cohort.records["1.1"] = {"histogram": [1, 3, 0], "hu_window": WINDOW}
    cohort.records["3.1"] = {"histogram": [0, 0, 7], "hu_window": WINDOW}
    histograms = of(cohort).histograms
    assert histograms is not None
    np.testing.assert_array_equal(histograms.hu, [-1000.0, -300.0, 400.0])
    np.testing.assert_array_equal(histograms.shares, [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    assert histograms.split.tolist() == ["train", "test"]
    assert histograms.patient.tolist() == [0, 2]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"histogram": [0, 0, 0], "hu_window": WINDOW},
        {"histogram": [1, 2, 3], "hu_window": [-1200.0, 400.0]},
        {"histogram": [1, 2], "hu_window": WINDOW},
    ],
)
def test_histograms_that_do_not_fit_are_left_out(cohort, record):
    cohort.records = {"1.1": {"histogram": [1, 3, 0], "hu_window": WINDOW}, "2.1": record}
    histograms = of(cohort).histograms
    assert histograms is not None
    assert len(histograms.shares) == 1


def test_without_records_there_are_no_histograms(cohort):
    assert of(cohort).histograms is None


def test_a_cohort_without_a_usable_scan_has_no_features(cohort):
    features = of(cohort, prepared=())
    assert features.features == ()
    assert features.histograms is None


def test_patients_are_averaged():
    means, first = mean_of_patients(np.array([[1.0, 0.0], [0.0, 4.0], [3.0, 2.0]]), np.array([7, 2, 7]))
    np.testing.assert_array_equal(means, [[0.0, 4.0], [2.0, 1.0]])
    assert first.tolist() == [1, 0]


def test_a_feature_keeps_its_values_split(cohort):
    feature = of(cohort).features[0]
    assert isinstance(feature, Feature)
    assert feature.values.columns.tolist() == ["split", "patient", "value"]
