import numpy as np
import pandas as pd
import pytest

from medpipe.ct.cohort_report import CohortReport, describe
from medpipe.ct.cohort_report.drift import DRIFT_COLUMNS
from medpipe.ct.cohort_report.statistics import STATISTICS_COLUMNS
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_rejection, write_scan
from tests.ct.cohort_report.cohorts import HU_WINDOW, Cohort, draw

SHAPE = (6, 7, 8)
REJECTED_BEFORE = [("9.1", "patient-0", "thick_slices"), ("9.2", "stranger", "not_ct"), ("9.3", "stranger", "not_ct")]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Fifty patients, three more scans that were rejected at intake, and an irrelevant finding."""
    cohort = draw(50, 2)
    rejected = pd.DataFrame(
        {"series_uid": uid, "patient_id": patient, "source": "dicom", "accepted": False, "rejection_code": code}
        for uid, patient, code in REJECTED_BEFORE
    )
    cohort.scans = pd.concat([cohort.scans.astype({"accepted": bool}), rejected], ignore_index=True)
    other = pd.DataFrame({"series_uid": [cohort.scans["series_uid"].iloc[1]], "kind": ["irrelevant"]})
    cohort.nodules = pd.concat([cohort.nodules, other], ignore_index=True)
    return cohort


@pytest.fixture(scope="module")
def store(cohort, tmp_path_factory) -> ScanStore:
    """A store of tiny scans; the first one could not be prepared."""
    folder = tmp_path_factory.mktemp("store")
    rng = np.random.default_rng(0)
    lung, geometry = np.ones(SHAPE, dtype=np.uint8), Geometry(SHAPE, (1.0, 1.0, 1.0))
    first, *others = cohort.scans.loc[cohort.scans["accepted"], "series_uid"]
    write_rejection(folder, first, "no_lungs", "No lungs.", key="0")
    for uid in others:
        write_scan(folder, uid, rng.integers(0, 256, SHAPE, dtype=np.uint8), lung, geometry, HU_WINDOW, key="0")
    return ScanStore(folder)


@pytest.fixture(scope="module")
def report(cohort, store) -> CohortReport:
    return describe(cohort.scans, cohort.nodules, cohort.splits, store)


def statistic(report: CohortReport, feature: str, name: str, split: str = "all") -> float:
    table = report.statistics.set_index(["split", "feature", "statistic"])
    return float(table.loc[(split, feature, name), "value"])


def test_tables_have_their_columns_and_types(report):
    assert report.statistics.dtypes.astype(str).to_dict() == STATISTICS_COLUMNS
    assert report.drift.dtypes.astype(str).to_dict() == DRIFT_COLUMNS
    assert not report.statistics.duplicated(["split", "feature", "statistic"]).any()
    assert not report.drift.duplicated(["split", "feature"]).any()


def test_scans_and_patients_are_counted(cohort, report):
    accepted = int(cohort.scans["accepted"].sum())
    assert statistic(report, "cohort", "patients") == 51
    assert statistic(report, "cohort", "scans") == accepted + 3
    assert statistic(report, "cohort", "accepted") == accepted
    assert statistic(report, "cohort", "rejected") == 4
    assert statistic(report, "cohort", "usable") == accepted - 1
    assert statistic(report, "cohort", "irrelevant") == 1
    in_splits = sum(statistic(report, "cohort", "patients", split) for split in ("train", "val", "test"))
    assert in_splits == 50


def test_rejections_of_intake_and_of_preparation_are_counted_by_code(report):
    counts = report.statistics[report.statistics["feature"] == "rejection"]
    everywhere = counts[counts["split"] == "all"].set_index("statistic")["value"].to_dict()
    assert everywhere == {"no_lungs": 1, "not_ct": 2, "thick_slices": 1}
    # The strangers' scans have no split, as none of theirs was accepted.
    assert counts.loc[counts["split"] != "all", "value"].sum() == 2


def test_numbers_are_pandas_own(cohort, report):
    used = cohort.scans[cohort.scans["accepted"]].iloc[1:].merge(cohort.splits, on="patient_id")
    train = used.loc[used["split"] == "train", "spacing_x_mm"]
    for name, expected in [("mean", train.mean()), ("median", train.median()), ("p95", train.quantile(0.95))]:
        assert statistic(report, "pixel_spacing_mm", name, "train") == pytest.approx(expected)
    counts = used["manufacturer"].value_counts()
    assert statistic(report, "manufacturer", "SIEMENS") == counts["SIEMENS"]


def test_hounsfield_units_come_from_the_store(report):
    # Uniform noise over the window: its middle, and a spread of its width by the root of twelve.
    assert statistic(report, "hu", "mean") == pytest.approx(np.mean(HU_WINDOW), abs=10)
    assert statistic(report, "hu", "std") == pytest.approx(np.ptp(HU_WINDOW) / np.sqrt(12), rel=0.03)
    assert statistic(report, "hu", "median") == pytest.approx(np.mean(HU_WINDOW), abs=20)
    assert report.histograms.groupby("split")["share"].sum().to_numpy() == pytest.approx(1.0)
    assert set(report.histograms["split"]) == {"train", "val", "test"}


def test_no_table_names_a_patient_or_a_series(cohort, report):
    secrets = {*cohort.scans["patient_id"], *cohort.scans["series_uid"]}
    for table in (report.statistics, report.drift, report.numbers, report.categories, report.histograms):
        for column in table.select_dtypes(exclude="number"):
            assert not secrets & set(table[column].astype(str))


def test_the_report_is_the_same_each_time(cohort, store, report):
    again = describe(cohort.scans, cohort.nodules, cohort.splits, store)
    pd.testing.assert_frame_equal(again.drift, report.drift)
    pd.testing.assert_frame_equal(again.statistics, report.statistics)


def test_a_cohort_without_any_usable_scan_is_described(cohort, tmp_path):
    scans = cohort.scans[~cohort.scans["accepted"]]
    report = describe(scans, cohort.nodules.iloc[:0], cohort.splits.iloc[:0], ScanStore(tmp_path))
    assert statistic(report, "cohort", "rejected") == 3
    assert len(report.drift) == len(report.numbers) == len(report.categories) == len(report.histograms) == 0
