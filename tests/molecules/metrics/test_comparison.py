"""Generator against control."""

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.metrics.comparison import compare


def metrics(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def only(table: pd.DataFrame) -> pd.Series:
    (row,) = [row for _, row in table.iterrows()]
    return row


def test_the_interval_of_a_difference_of_proportions_is_newcombes() -> None:
    """56/70 - 48/80 from their Wilson intervals: 0.0524 to 0.3339 (Newcombe, Stat. Med. 17:873, 1998, method 10)."""
    row = only(compare(metrics("valid", 56 / 70, 0.6918, 0.8769), metrics("valid", 48 / 80, 0.4905, 0.7004)))
    assert row.difference == pytest.approx(0.2)
    assert (row.difference_low, row.difference_high) == pytest.approx((0.0524, 0.3339), abs=2e-4)


@pytest.mark.parametrize(
    ("name", "ours", "verdict"),
    [
        ("valid", 0.9, "better"),
        ("valid", 0.1, "worse"),
        ("valid", 0.5, "unclear"),
        ("FCD_Test", 0.9, "worse"),
        ("FCD_Test", 0.1, "better"),
        ("FCD_score", 0.9, "better"),
        ("SNN_TestSF", 0.9, "better"),
        ("unique_at_1000", 0.9, "better"),
        ("logP", 0.1, "better"),
    ],
)
def test_the_verdict_knows_which_direction_is_better(name: str, ours: float, verdict: str) -> None:
    row = only(compare(metrics(name, ours, ours - 0.1, ours + 0.1), metrics(name, 0.5, 0.4, 0.6)))
    assert row.verdict == verdict


def test_counts_floors_and_what_only_one_has_are_not_compared() -> None:
    ours = {"n": 5.0, "n_valid": 4.0, "FCD_Test": 1.0, "FCD_Test_floor": 0.1, "novelty": 1.0}
    theirs = {"n": 5.0, "n_valid": 4.0, "FCD_Test": 2.0, "FCD_Test_floor": 0.1}
    assert compare(ours, theirs).metric.tolist() == ["FCD_Test"]


def test_without_an_interval_there_is_no_verdict() -> None:
    row = only(compare({"IntDiv2": 0.8}, {"IntDiv2": 0.9}))
    assert row.difference == pytest.approx(-0.1)
    assert np.isnan(row.difference_low)
    assert row.verdict == ""


def test_a_generator_that_made_nothing_valid_can_be_compared() -> None:
    assert compare(metrics("valid", 0.0, 0.0, 0.0), metrics("valid", 0.5, 0.4, 0.6)).verdict.tolist() == ["worse"]
    assert compare({}, {}).empty
