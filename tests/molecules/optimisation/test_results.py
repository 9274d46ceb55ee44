"""Ranking and metrics of a search, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.optimisation.measures import History, internal_diversity
from medpipe.molecules.optimisation.params import OptimiseParams
from medpipe.molecules.optimisation.results import rank, summarise

PARAMS = OptimiseParams(evolution={"stop_at": 0.5})


def found(rows: list[tuple]) -> pd.DataFrame:
    columns = ["start", "smiles", "step", "score", "refused", "parent"]
    return pd.DataFrame(rows, columns=columns).assign(
        similarity=0.5, qed=lambda t: t.score, qed_value=lambda t: t.score
    )


FROM_STARTS = found(
    [
        ("CC", "CC", 0, 0.2, "", ""),
        ("CN", "CN", 0, 0.4, "", ""),
        ("CC", "CCC", 1, 0.3, "", "CC"),
        ("CC", "CCCO", 2, 0.6, "", "CCC"),
        ("CC", "CCCN", 2, 0.9, "solubility: uncertain", "CCC"),
        ("CN", "CNC", 1, 0.1, "", "CN"),
    ]
)


def test_the_start_comes_first_and_then_its_best() -> None:
    table = rank(FROM_STARTS, keep=5)
    assert table.smiles.tolist() == ["CC", "CCCO", "CCC", "CN"]
    assert table["rank"].tolist() == [0, 1, 2, 0]
    assert table.start_score.tolist() == [0.2, 0.2, 0.2, 0.4]
    assert rank(FROM_STARTS, keep=1).smiles.tolist() == ["CC", "CCCO", "CN"]


def test_metrics_by_hand() -> None:
    history = History()
    history.add(0, {"drawn": 2, "scored": 2, "best_score": 0.3})
    history.add(1, {"drawn": 10, "scored": 4, "invalid": 6, "best_score": 0.5})
    metrics = summarise(FROM_STARTS, rank(FROM_STARTS, 5), history.table(), PARAMS)
    expected = {
        "n_starts": 2, "improved": 0.5, "reached": 0.5, "start_score": 0.3, "mean_score": 0.5, "improvement": 0.2,
        "improvement_sd": 0.2, "qed_start": 0.3, "qed_best": 0.5, "drawn": 12, "scored": 6, "invalid": 6, "gated": 0,
        "refused/solubility: uncertain": 1, "scaffolds": 1,
    }  # fmt: skip
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert metrics["improvement_low"] <= 0.2 <= metrics["improvement_high"]
    assert (metrics["improved_low"], metrics["improved_high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)  # Wilson's


def test_from_scratch_the_best_come_first() -> None:
    rows = found([("", "CC", 0, 0.2, "", ""), ("", "CCO", 3, 0.8, "", "CC"), ("", "CN", 1, 0.8, "", "CC")])
    table = rank(rows, keep=2)
    assert table.smiles.tolist() == ["CN", "CCO"]
    assert table["rank"].tolist() == [1, 2]
    assert summarise(rows, table, History().table(), PARAMS)["mean_score"] == pytest.approx(0.8)


def test_nothing_found_is_an_empty_table() -> None:
    rows = found([("", "CC", 0, 0.0, "", "")])
    table = rank(rows, keep=2)
    assert len(table) == 0
    assert summarise(rows, table, History().table(), PARAMS)["mean_score"] == 0


def test_internal_diversity() -> None:
    assert internal_diversity(["CCO", "OCC"]) == pytest.approx(0)
    assert internal_diversity(["CCO"]) == 0
    # No environment in common.
    assert internal_diversity(["CCO", "c1ccsc1"]) == pytest.approx(1)
    assert np.isclose(internal_diversity(["CCO", "OCC", "c1ccsc1"]), 2 / 3)
