"""docs/metrics.md defines every number that the pipelines write."""

import re
from collections.abc import Mapping

import pytest

from tests.documents import PROJECT, code_in_tables
from tests.scratch import Run

_ENDINGS = re.compile(r"_(low|high|floor|of_test)$")


_STANDS_FOR = {
    "rate": r"[\d.]+",
    "size": "under_6mm|6_to_10mm|over_10mm",
    "texture": "solid|part_solid|ground_glass",
    "question": "roi|detected|scan",
    "k": r"\d+",
    "X": "Test|TestSF",
    "quantile": r"q\d+",
}


def defined() -> re.Pattern[str]:
    """What a metric may be called; names in angle brackets stand for others."""
    names = code_in_tables(PROJECT / "docs" / "metrics.md") | {"dropped_<reason>", "n_drawn", "n_kept"}
    patterns = [
        re.sub(r"<(\w+)>", lambda match: f"(?:{_STANDS_FOR.get(match[1], '[a-z0-9]+')})", name) for name in names
    ]
    return re.compile("|".join(patterns))


def undefined(metrics: Mapping[str, Mapping[str, float]]) -> set[str]:
    """Names in files of metrics that the page does not have."""
    names = {_ENDINGS.sub("", name) for values in metrics.values() for name in values}
    return {name for name in names if not defined().fullmatch(name)}


def test_each_number_of_imaging_is_defined(imaging: Run) -> None:
    assert undefined(imaging.metrics) == set()


def test_each_number_of_molecules_is_defined(molecules: Run) -> None:
    assert undefined(molecules.metrics) == set()


@pytest.mark.parametrize("name", ["n_ghosts", "sensitivity_at", "cpm_"])
def test_a_number_without_definition_is_noticed(name: str) -> None:
    assert undefined({"detection_metrics.json": {name: 1.0}}) == {name}
