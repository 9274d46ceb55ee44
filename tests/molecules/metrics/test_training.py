"""Nearest training molecules and floors: values by hand, and what is kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.parse import read_molecules
from medpipe.molecules.metrics.reference import Reference, reference_of
from medpipe.molecules.metrics.score import score, score_against_test
from medpipe.molecules.metrics.training import Training

PARAMS = ScoreParams(n_jobs=1, fcd=False, bootstrap_replicates=30, unique_at=(10,))


@pytest.fixture(scope="module")
def reference(molecules: list[str]) -> Reference:
    return reference_of(molecules[5::11], fcd=False, n_jobs=1)


def test_nearest_is_the_molecule_itself_where_it_was_seen(molecules: list[str], tmp_path: Path) -> None:
    training = Training(["not a molecule", *molecules[:50]], tmp_path, PARAMS)
    similarity, row = training.nearest(read_molecules(molecules[:50], n_jobs=1).fingerprints)
    assert np.array_equal(similarity, np.ones(50))
    assert [training.smiles[i] for i in row] == molecules[:50]


def test_fingerprints_are_read_again(molecules: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = read_molecules(["CCO"], n_jobs=1).fingerprints
    Training(molecules[:20], tmp_path, PARAMS).nearest(wanted)
    monkeypatch.setattr("medpipe.molecules.metrics.training.parallel", None)
    Training(molecules[:20], tmp_path, PARAMS).nearest(wanted)
    with pytest.raises(TypeError):
        Training(molecules[:21], tmp_path, PARAMS).nearest(wanted)


def test_floor_is_the_score_of_the_drawn_molecules(molecules: list[str], reference: Reference, tmp_path: Path) -> None:
    """All are drawn, so the floor is what scoring them all gives."""
    params = PARAMS.model_copy(update={"fcd": True, "device": "cpu"})
    test = {"Test": reference_of(molecules[5::11], n_jobs=1)}
    train = molecules[:40]
    floors = Training(train, tmp_path, params).floors(1000, test)
    metrics = score(train, [], test, params).metrics
    for name in ("FCD_Test", "SNN_Test", "Frag_Test", "Scaf_Test"):
        assert floors[f"{name}_floor"] == pytest.approx(metrics[name], abs=1e-6), name


def test_floors_are_computed_once(
    molecules: list[str], reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Training(molecules[:40], tmp_path, PARAMS).floors(20, {"Test": reference})
    monkeypatch.setattr(Training, "draw", None)
    assert Training(molecules[:40], tmp_path, PARAMS).floors(20, {"Test": reference}) == first
    with pytest.raises(TypeError):
        Training(molecules[:40], tmp_path, PARAMS).floors(21, {"Test": reference})


def test_memorised_molecules_are_counted_and_named(molecules: list[str], reference: Reference, tmp_path: Path) -> None:
    train, generated = molecules[:100], [*molecules[90:110], molecules[95], "bad"]
    result = score(generated, train, {"Test": reference}, PARAMS.model_copy(update={"nearest_train": 15}), tmp_path)
    assert result.metrics["memorised"] == result.metrics["novelty"] == 0.5
    assert result.metrics["n_nearest_train"] == 15
    assert result.metrics["near_train"] >= 10 / 15
    assert result.metrics["near_train_low"] <= result.metrics["near_train"] <= result.metrics["near_train_high"]
    looked_at = result.profile.iloc[:15]
    known = looked_at[~looked_at["novel"]]
    assert known["nearest_train"].tolist() == known["smiles"].tolist()
    assert result.profile["nearest_train"].isna().tolist() == [False] * 15 + [True] * 5
    assert result.profile["similarity_train"].isna().sum() == 5


def test_every_measure_of_a_sample_has_its_interval(molecules: list[str], tmp_path: Path) -> None:
    some = molecules[::4]
    splits = ["test" if i % 4 == 0 else "train" for i in range(len(some))]
    table = pd.DataFrame({"smiles": some, "split": splits})
    params = PARAMS.model_copy(update={"fcd": True, "device": "cpu"})
    result, _ = score_against_test([*some[::2], some[0], "bad"], table, tmp_path / "raw.csv", params, tmp_path)
    metrics = result.metrics
    values = [
        name
        for name in metrics
        if not name.endswith(("_low", "_high", "_floor", "_of_test")) and not name.startswith("n_") and name != "n"
    ]
    assert {"KL_score", "FCD_score", "FCD_Test", "IntDiv2", "similarity_train_q50"} <= set(values)
    for name in values:
        assert metrics[f"{name}_low"] <= metrics[name] + 1e-9, name
        assert metrics[name] <= metrics[f"{name}_high"] + 1e-9, name
    assert metrics["FCD_score"] < 1.0


def test_without_training_molecules_there_is_no_novelty(reference: Reference, tmp_path: Path) -> None:
    metrics = score(["CCO", "CCN"], [], {"Test": reference}, PARAMS, tmp_path).metrics
    assert not {"novelty", "memorised", "KL_score", "near_train"} & set(metrics)


def test_one_molecule_repeated_has_no_density(molecules: list[str], reference: Reference, tmp_path: Path) -> None:
    metrics = score(["CCO"] * 5, molecules[:30], {"Test": reference}, PARAMS, tmp_path).metrics
    assert "KL_score" not in metrics
    assert all(np.isfinite(value) for value in metrics.values())
