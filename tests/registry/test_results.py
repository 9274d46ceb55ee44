import pytest

from medpipe.registry import results

METRICS = {
    "n": 400.0,
    "n_valid": 12.0,
    "cpm": 0.5,
    "cpm_low": 0.25,
    "cpm_high": 0.75,
    "cpm_floor": 0.1,
    "sensitivity": 0.8,
    "sensitivity_low": 0.7,
    "sensitivity_high": 0.9,
    "sensitivity_at_1_fp": 0.7,
    "sensitivity_over_10mm": 1.0,
    "n_nodules": 20.0,
    "n_nodules_over_10mm": 4.0,
}


def test_ends_of_intervals_are_no_measures():
    assert "cpm_low" not in results.measures(METRICS)
    assert "cpm_floor" in results.measures(METRICS)


def test_subgroups_are_told_from_operating_points_floors_and_counts():
    assert results.subgroups(METRICS) == {"over_10mm": {"sensitivity": "1", "n_nodules": "4"}}


def test_headlines_come_first():
    assert results.overall(METRICS, ["sensitivity", "absent"])[:2] == ["sensitivity", "n"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123456, "0.1235"), (12345.0, "12,345"), (1.0, "1"), (9.7e-05, "9.7e-05"), (None, "–"), (float("nan"), "–")],
)
def test_number(value, shown):
    assert results.number(value) == shown


def test_with_interval():
    assert results.with_interval(METRICS, "cpm") == "0.5 (0.25 to 0.75)"
    assert results.with_interval(METRICS, "n") == "400"
