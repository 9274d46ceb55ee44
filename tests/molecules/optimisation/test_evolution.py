"""The search, with chemistry simple enough to know where it must end."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.optimisation.evolution import FULL_SCAFFOLD, evolve
from medpipe.molecules.optimisation.journal import Journal
from medpipe.molecules.optimisation.params import DiversityParams, EvolutionParams, ScoringParams
from medpipe.molecules.optimisation.results import rank
from medpipe.molecules.optimisation.scoring import Scorer

HEAVY = {"kind": "heavy_atoms", "transform": {"type": "sigmoid", "low": 0, "high": 20}}
FREE = DiversityParams(bucket_size=0)


class Lengthen:
    """Adds a carbon, takes one away, or says nothing sensible; counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, parents: Sequence[str], seed: int) -> list[str]:
        self.calls += 1
        rng = np.random.default_rng(seed)
        return [[f"{one}C", one[:-1], "C1"][kind] for one, kind in zip(parents, rng.integers(3, size=len(parents)))]  # noqa: B905

    def draw(self, n: int, seed: int) -> list[str]:
        return ["C" * (1 + i % 3) for i in range(n)]


def search(starts: list[str], folder: Path, mutation: Lengthen | None = None, diversity=FREE, **changes):
    params = EvolutionParams(**({"generations": 6, "children": 12, "parents": 3, "min_similarity": 0.0} | changes))
    scorer = Scorer(ScoringParams(components={"atoms": HEAVY}, n_jobs=1))
    return evolve(starts, mutation or Lengthen(), scorer, params, diversity, 0, Journal(folder, "k" * 20))


def test_the_best_go_on(tmp_path: Path) -> None:
    found, history = search(["CCO", "CN"], tmp_path)
    assert set(found[found.start == "CCO"].smiles) >= {"CCO", "CCOC", "CCOCC"}
    best = found.sort_values("score").groupby("start").tail(1).set_index("start").smiles
    assert len(best["CCO"]) >= 8
    course = history[history.name == "best_score"].value
    assert course.is_monotonic_increasing
    assert course.iloc[-1] > course.iloc[0]


def test_every_row_knows_its_parent_and_no_molecule_is_measured_twice(tmp_path: Path) -> None:
    found, _ = search(["CCO", "CN"], tmp_path)
    assert not found.duplicated(["start", "smiles"]).any()
    children = found[found.step > 0]
    known = set(zip(found.start, found.smiles, strict=True))
    assert all((start, parent) in known for start, parent in zip(children.start, children.parent, strict=True))
    assert (found[found.step == 0].smiles == found[found.step == 0].start).all()


def test_similarity_to_the_start_is_kept(tmp_path: Path) -> None:
    found, history = search(["CCCCCO"], tmp_path, min_similarity=0.6)
    assert found.similarity.min() >= 0.6
    assert history[history.name == "unlike_start"].value.sum() > 0


def test_counts_add_up(tmp_path: Path) -> None:
    _, history = search(["CCO", "CN"], tmp_path, min_similarity=0.3)
    total = history.groupby("name").value.sum()
    assert total["drawn"] == 2 + 6 * 2 * 12
    assert total["drawn"] == total["invalid"] + total["unlike_start"] + total["scored"]
    assert total["invalid"] > 0


def test_a_start_that_is_good_enough_is_done(tmp_path: Path) -> None:
    mutation = Lengthen()
    found, _ = search(["CCCCCCCCCCCCC"], tmp_path, mutation, stop_at=0.5)
    assert mutation.calls == 0
    assert found.smiles.tolist() == ["CCCCCCCCCCCCC"]


def test_from_scratch_the_generator_begins(tmp_path: Path) -> None:
    found, _ = search([], tmp_path)
    assert set(found[found.step == 0].smiles) == {"C", "CC", "CCC"}
    assert (found.start == "").all()
    assert found.similarity.isna().all()
    assert found.smiles.str.len().max() > 5


def test_full_scaffolds_have_no_children(tmp_path: Path) -> None:
    diversity = DiversityParams(bucket_size=2, min_score=0.0)
    found, _ = search(["CCO"], tmp_path, diversity=diversity)
    assert (found.refused == FULL_SCAFFOLD).sum() > 0
    assert (found[found.refused == FULL_SCAFFOLD].score == 0).all()
    assert (found.refused == "").sum() == 2


class Killed(Exception):
    """What a test stops a search with."""


def test_a_killed_search_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    class Dies(Lengthen):
        def __call__(self, parents: Sequence[str], seed: int) -> list[str]:
            if self.calls == 3:
                raise Killed
            return super().__call__(parents, seed)

    whole, whole_history = search(["CCO", "CN"], tmp_path / "whole")
    with pytest.raises(Killed):
        search(["CCO", "CN"], tmp_path / "killed", Dies())
    mutation = Lengthen()
    resumed, history = search(["CCO", "CN"], tmp_path / "killed", mutation)
    assert mutation.calls == 3
    pd.testing.assert_frame_equal(resumed, whole)
    pd.testing.assert_frame_equal(history, whole_history)


def test_another_search_begins_anew(tmp_path: Path) -> None:
    Journal(tmp_path, "a" * 20).write(0, pd.DataFrame({"smiles": ["C"]}))
    assert Journal(tmp_path, "a" * 20).recall(0) is not None
    assert Journal(tmp_path, "b" * 20).recall(0) is None
    assert Journal(tmp_path, "a" * 20).recall(0) is None


def test_a_generator_that_says_no_molecule_finds_none(tmp_path: Path) -> None:
    class Mute(Lengthen):
        def draw(self, n: int, seed: int) -> list[str]:
            return ["C1"] * n

    found, history = search([], tmp_path, Mute())
    assert found.empty
    assert rank(found, 5).empty
    assert history[history.name == "invalid"].value.tolist() == [12.0]
