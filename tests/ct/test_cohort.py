import pandas as pd
import pytest

from medpipe.ct.cohort import series_by_split

SCANS = pd.DataFrame(
    {
        "series_uid": ["3", "1", "2", "4", "5"],
        "patient_id": ["a", "a", "b", "c", "d"],
        "accepted": [True, True, True, False, True],
    }
)
SPLITS = pd.DataFrame({"patient_id": ["a", "b", "d"], "split": ["train", "test", "train"]})


def test_accepted_and_prepared_series_are_sorted_by_split():
    assert series_by_split(SCANS, SPLITS, ["1", "2", "3", "4"]) == {"train": ["1", "3"], "val": [], "test": ["2"]}


def test_nothing_prepared_gives_empty_splits():
    assert series_by_split(SCANS, SPLITS, []) == {"train": [], "val": [], "test": []}


def test_a_patient_in_two_splits_is_refused():
    twice = pd.concat([SPLITS, pd.DataFrame({"patient_id": ["a"], "split": ["test"]})])
    with pytest.raises(pd.errors.MergeError):
        series_by_split(SCANS, twice, ["1"])
