import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medpipe.ct.params import SplitParams
from medpipe.ct.splits import hash_fraction, split_patients

PARAMS = SplitParams(seed=0, train=0.6, val=0.2, test=0.2)


def as_dict(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["patient_id"], table["split"], strict=True))


def patients(n: int) -> list[str]:
    return [f"patient-{number}" for number in range(n)]


def test_every_patient_has_one_split():
    table = split_patients(patients(50) * 2, PARAMS)
    assert sorted(table["patient_id"]) == sorted(patients(50))
    assert set(table["split"]) == {"train", "val", "test"}


def test_patients_stay_where_they_are_when_others_come():
    few, many = as_dict(split_patients(patients(60), PARAMS)), as_dict(split_patients(patients(600), PARAMS))
    assert all(many[patient] == split for patient, split in few.items())


def test_fractions_are_met_on_average():
    shares = split_patients(patients(5000), PARAMS)["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.02)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)


def test_another_seed_is_another_split():
    other = PARAMS.model_copy(update={"seed": 1})
    assert as_dict(split_patients(patients(50), PARAMS)) != as_dict(split_patients(patients(50), other))


def test_the_hash_does_not_change_with_versions():
    assert hash_fraction("LIDC-IDRI-0001", 0) == pytest.approx(0.759829412558, abs=1e-9)


@pytest.mark.parametrize(("train", "val", "test"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_a_whole_cohort_can_go_to_one_split(train: float, val: float, test: float):
    name = {(0, 0, 1): "test", (1, 0, 0): "train", (0, 1, 0): "val"}[(train, val, test)]
    table = split_patients(patients(30), SplitParams(train=train, val=val, test=test))
    assert set(table["split"]) == {name}


@given(st.sets(st.text(min_size=1, max_size=8), min_size=3, max_size=12), st.integers(0, 1000))
def test_no_split_asked_for_is_empty_where_there_are_patients_enough(ids: set[str], seed: int):
    table = split_patients(ids, PARAMS.model_copy(update={"seed": seed}))
    assert set(table["split"]) == {"train", "val", "test"}


def test_no_patients_no_splits():
    assert list(split_patients([], PARAMS).columns) == ["patient_id", "split"]


def test_fractions_must_add_up_to_one():
    with pytest.raises(ValidationError, match=r"must be 1, got 0\.9"):
        SplitParams(train=0.5, val=0.2, test=0.2)
