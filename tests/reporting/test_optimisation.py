"""Pictures of a search."""

import pandas as pd
import pytest

from medpipe.reporting.molecules import structure_grid
from medpipe.reporting.optimisation import optimisation_course, optimised_molecules

TABLE = pd.DataFrame(
    {
        "start": ["CC", "CC", "CN"],
        "rank": [0, 1, 0],
        "smiles": ["CC", "CCCO", "CN"],
        "score": [0.2, 0.6, 0.4],
        "start_score": [0.2, 0.2, 0.4],
        "similarity": [1.0, 0.5, 1.0],
    }
)


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


@pytest.fixture
def drawn(monkeypatch) -> dict[str, str]:
    """What is written below each molecule that is drawn."""
    shown: dict[str, str] = {}

    def take(smiles, legends, **_):
        shown.update(zip(smiles, legends, strict=True))
        return structure_grid(smiles, legends)

    monkeypatch.setattr("medpipe.reporting.optimisation.structure_grid", take)
    return shown


def test_each_start_is_beside_its_best(drawn) -> None:
    optimised_molecules(TABLE)
    assert drawn == {"CC": "start, score 0.20", "CCCO": "score 0.60, similarity 0.50"}


@pytest.mark.parametrize(
    ("table", "words"),
    [(TABLE[TABLE["rank"] == 0], "none of 2 starts was improved"), (TABLE.head(0), "no molecule was found")],
)
def test_nothing_found_is_said(table: pd.DataFrame, words: str) -> None:
    assert words in texts(optimised_molecules(table))


def test_from_scratch_the_best_are_shown(drawn) -> None:
    optimised_molecules(TABLE[TABLE["rank"] > 0].assign(start=""))
    assert drawn == {"CCCO": "score 0.60"}


def test_course_shows_shares_of_what_was_drawn() -> None:
    rows = [(step, name, value) for step in (0, 1) for name, value in
            {"best_score": 0.5, "mean_score": 0.3, "internal_diversity": 0.8, "drawn": 50.0, "invalid": 10.0,
             "gated": 0.0}.items()]  # fmt: skip
    figure = optimisation_course(pd.DataFrame([*rows, (7, "speed_x", 1.0)], columns=["step", "name", "value"]))
    lines = figure.axes[2].get_lines()
    assert [line.get_label() for line in lines] == ["no molecule"]
    assert lines[0].get_ydata().tolist() == [20, 20]
