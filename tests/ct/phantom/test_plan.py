import numpy as np
import pytest

from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import DIRECTIONS, LPS, make_uid, plan_cohort


def test_default_cohort_has_the_promised_variety() -> None:
    plans = plan_cohort(PhantomParams())
    patients = {plan.patient_id for plan in plans}
    assert len(patients) == 36
    assert 39 <= len(plans) <= 42
    assert 5 <= len({p.patient_id for p in plans if p.form == "dicom"}) <= 7
    assert 4 <= len({p.patient_id for p in plans if p.healthy}) <= 6
    assert {p.direction for p in plans} == {LPS, *DIRECTIONS}
    assert 0.2 < np.mean([p.sharp for p in plans]) < 0.6
    assert 0.2 < np.mean([p.contrast for p in plans]) < 0.6


def test_uids_are_unique_valid_and_stable() -> None:
    plans = plan_cohort(PhantomParams())
    uids = [plan.series_uid for plan in plans]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 64 and uid.startswith("2.25.") and uid[5:].isdigit() for uid in uids)
    assert uids == [plan.series_uid for plan in plan_cohort(PhantomParams())]
    assert make_uid("a", 1) != make_uid("a", 2)


def test_more_patients_leave_the_first_ones_as_they_are() -> None:
    few, many = plan_cohort(PhantomParams(n_patients=7)), plan_cohort(PhantomParams(n_patients=20))
    assert many[: len(few)] == few


@pytest.mark.parametrize("change", [{"seed": 1}, {"mean_nodules": 2.0}, {"matrix": (256, 288)}])
def test_fingerprint_follows_the_parameters(change: dict[str, object]) -> None:
    before = plan_cohort(PhantomParams(n_patients=2))
    after = plan_cohort(PhantomParams(n_patients=2, **change))  # type: ignore[arg-type]
    assert all(a.digest != b.digest for a, b in zip(before, after, strict=True))


def test_each_stored_direction_is_orthonormal() -> None:
    for direction in DIRECTIONS:
        matrix = np.asarray(direction)
        np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
