"""The report of a generator: its numbers, its pictures, and a run that made nothing."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.generation.novel import DROPPED
from medpipe.molecules.metrics.validity import REASONS
from medpipe.reporting.molecule_numbers import (
    FATES,
    fates_table,
    measures_table,
    memory_table,
    rejects_table,
    tiles,
)
from medpipe.reporting.molecule_report import GeneratorResults, molecule_report
from medpipe.reporting.page import number
from tests.reporting.page.browser import Elements

METRICS = {
    "n": 10.0, "n_valid": 9.0, "n_distinct": 8.0, "valid": 0.9, "valid_low": 0.8, "valid_high": 1.0,
    "FCD_Test": 1.25, "FCD_Test_floor": 0.4, "memorised": 0.125, "near_train": 0.5, "near_train_of_test": 0.25,
}  # fmt: skip
COUNTS = {"n_drawn": 10.0, "n_kept": 7.0, "dropped_known": 1.0, "dropped_repeated": 1.0, "dropped_syntax": 1.0}


def comparison() -> pd.DataFrame:
    missing = np.nan
    rows = [
        ("valid", "higher", 0.9, 0.8, 1.0, 0.5, 0.4, 0.6, 0.4, 0.2, 0.6, "better"),
        ("FCD_Test", "lower", 1.25, missing, missing, 1.25001, missing, missing, -1e-5, missing, missing, ""),
    ]
    bounds = [f"{who}{end}" for who in ("generator", "control", "difference") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["metric", "better", *bounds, "verdict"])


@pytest.fixture(scope="module")
def results() -> GeneratorResults:
    properties = {"logP": 1.0, "SA": 2.0, "QED": 0.5, "weight": 300.0}
    smiles = ["CCO", "c1ccccc1", "CCN"]
    profile = pd.DataFrame(
        {"smiles": smiles, "count": 1, "novel": True, "nearest_train": "CC", "similarity_train": 0.5} | properties
    )
    return GeneratorResults(
        metrics=METRICS,
        comparison=comparison(),
        profile=profile,
        reference=pd.DataFrame([properties] * 4),
        space=pd.DataFrame(
            {"smiles": "C", "set": ["generated", "reference"], "x": [0.0, 1.0], "y": 0.0, "same": [0.0, 0.0]}
        ),
        counts=COUNTS,
        history=pd.DataFrame({"step": [1, 2], "name": "val_nll", "value": [3.0, 2.0]}),
        splits={"train": 90_000, "test": 10_000},
        rejected=pd.DataFrame({"code": ["salt", "salt", "empty"], "reason": ["<b>has a dot</b>", "x", "y"]}),
        provenance={"sample": {"temperature": 0.9}, "generator": {"seed": 7}},
    )


@pytest.fixture(scope="module")
def html(results: GeneratorResults) -> str:
    return molecule_report(results)


def test_the_report_is_one_whole_page_that_asks_for_nothing(html: str) -> None:
    elements = Elements(html)
    assert not elements.open
    assert elements.count()["img"] == 6
    sources = [attributes["src"] for tag, attributes in elements.elements if tag == "img"]
    assert all(str(source).startswith("data:image/png") for source in sources)
    assert not re.search(r"""(src|href)=["']https?:""", html)


def test_the_report_tells_what_was_drawn_and_how(html: str) -> None:
    text = " ".join(Elements(html).text)
    assert "10 strings drawn at temperature 0.9, 9 valid, 8 distinct molecules" in text
    assert '"seed": 7' in text
    assert "none was made or tested" in text
    assert "patient" not in text


def test_a_generator_of_nothing_valid_has_a_report(results: GeneratorResults) -> None:
    empty = dataclasses.replace(
        results,
        metrics={"n": 10.0, "n_valid": 0.0, "n_distinct": 0.0, "valid": 0.0},
        comparison=comparison().iloc[:0],
        profile=results.profile.iloc[:0].drop(columns=["nearest_train", "similarity_train"]),
        space=results.space.iloc[:0],
        history=results.history.iloc[:0],
        counts={"n_drawn": 0.0, "n_kept": 0.0},
        rejected=results.rejected.iloc[:0],
    )
    assert "There is no map" in molecule_report(empty)


def test_what_was_refused_is_shown_as_text(html: str) -> None:
    assert "<b>has a dot</b>" in Elements(html).text


def test_tiles_tell_the_floor_and_the_interval() -> None:
    valid, fcd = tiles(METRICS)
    assert (valid.value, valid.interval) == ("0.900", "0.800 to 1.000")
    assert fcd.interval == ""
    assert fcd.note.endswith("as many train molecules reach 0.400")


def test_measures_stand_beside_floor_and_control() -> None:
    rows = measures_table(comparison(), METRICS).rows
    assert rows[0] == ["Valid", "0.900", "0.800 to 1.000", "–", "0.500", "0.400 to 0.600", "+0.4000", "better"]
    assert rows[1][3] == "0.400"
    assert rows[1][6:] == ["+0.0000", "–"]


def test_test_molecules_stand_beside_what_was_learnt_by_heart() -> None:
    rows = memory_table(METRICS).rows
    assert [row[1:] for row in rows] == [["0.125", "", "–"], ["0.500", "", "0.250"]]


def test_fates_and_rejects_are_counted(results: GeneratorResults) -> None:
    assert [row[1:] for row in fates_table(COUNTS).rows] == [["7", "70.0 %"], *[["1", "10.0 %"]] * 3]
    assert [row[:2] for row in rejects_table(results.rejected).rows] == [["salt", "2"], ["empty", "1"]]


def test_every_reason_to_drop_a_string_is_told() -> None:
    assert {f"dropped_{reason}" for reason in (*REASONS, *DROPPED)} | {"n_kept"} == set(FATES)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.000"), (1.0, "1.000"), (12.0, "12"), (1234.0, "1,234"), (12.34, "12.3"), (np.nan, "–")]
)
def test_numbers_are_readable(value: float, text: str) -> None:
    assert number(value) == text
