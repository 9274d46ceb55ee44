import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.registry.cohort import describe_cohort

SPLITS = pd.DataFrame({"patient_id": ["a", "b", "c"], "split": ["test", "train", "test"]})
SCANS = pd.DataFrame({"series_uid": ["1", "2", "3", "4"], "patient_id": ["a", "b", "c", "gone"]})
NODULES = pd.DataFrame({"series_uid": ["1", "1", "2"], "kind": ["nodule", None, "nodule"], "size_mm": [3.0, 4.0, 5.0]})
TABLES = {"splits": SPLITS, "scans": SCANS, "nodules": NODULES}


def test_each_table_is_counted_by_the_split_of_its_patients():
    assert describe_cohort(TABLES).counts == {
        "splits": {"train": 1, "test": 2},
        "scans": {"train": 1, "test": 2},
        "nodules": {"train": 1, "test": 2},
    }


def test_the_summary_is_one_line():
    assert describe_cohort({"smiles": SPLITS}).summary() == "smiles: train 1, test 2"


def test_groups_are_counted_with_what_is_missing():
    found = describe_cohort(TABLES, ["kind"]).groups
    assert found == {"nodules.kind": {"nodule": {"train": 1, "test": 1}, "not known": {"test": 1}}}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda tables: {**tables, "nodules": NODULES.iloc[::-1]}, True),
        (lambda tables: {**tables, "nodules": NODULES[["size_mm", "kind", "series_uid"]]}, True),
        (lambda tables: {**tables, "nodules": NODULES.iloc[:2]}, True),  # one of train is gone
        (lambda tables: {**tables, "nodules": NODULES.iloc[1:]}, False),  # one of test is gone
        (lambda tables: {**tables, "nodules": NODULES.assign(size_mm=[3.0, 4.5, 5.0])}, False),
        (lambda tables: {**tables, "splits": SPLITS.assign(split=["test", "train", "val"])}, False),
    ],
    ids=["order", "columns", "train", "fewer", "relabelled", "moved"],
)
def test_the_fingerprint_is_that_of_the_test_rows(change, same):
    before, after = describe_cohort(TABLES).test_data, describe_cohort(change(TABLES)).test_data
    assert (before == after) is same


def test_a_table_that_cannot_be_split_is_named():
    with pytest.raises(InputError, match="others: has no column split"):
        describe_cohort({"splits": SPLITS, "others": pd.DataFrame({"x": [1]})})
