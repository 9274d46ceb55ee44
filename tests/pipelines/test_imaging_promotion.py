"""The gate of nodule networks decides on the networks that the tests trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import Registry, open_registry
from tests.scratch import Run, kedro

MODEL = "nodule_models"


@pytest.fixture(scope="module")
def trained(project: Path, imaging: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project after ``imaging``, so that other tests find no champion in theirs."""
    return Path(shutil.copytree(project, tmp_path_factory.mktemp("imaging_promotion") / "project"))


def registry_of(project: Path) -> Registry:
    return open_registry(project, MLflowParams(), "test")


def gate(project: Path) -> dict[str, Any]:
    """Runs the gate, and gives its decision."""
    done = kedro(project, "run", "--pipeline=imaging_promotion", "--env=test")
    assert done.returncode == 0, done.stdout
    decision: dict[str, Any] = json.loads((project / "data/test/08_reporting/imaging_decision.json").read_text())
    return decision


@pytest.fixture(scope="module")
def first(trained: Path) -> dict[str, Any]:
    """Nobody is champion yet."""
    return gate(trained)


@pytest.fixture(scope="module")
def same_again(trained: Path, first: dict[str, Any]) -> dict[str, Any]:
    """The champion's own networks are registered once more."""
    registry = registry_of(trained)
    champion = registry.get(MODEL, "1")
    registry.register(MODEL, champion.source, champion.run_id, champion.tags)
    return gate(trained)


def test_the_first_networks_become_champion(first):
    assert (first["outcome"], first["challenger"], first["n_units"]) == ("promote", "1", 2)


def test_a_tie_keeps_the_champion(same_again):
    assert (same_again["outcome"], same_again["champion"], same_again["challenger"]) == ("keep", "1", "2")
    headline = same_again["metrics"][0]
    assert (headline["metric"], headline["difference"]) == ("cpm", 0.0)


def test_the_registry_holds_what_was_decided(trained, same_again):
    registry = registry_of(trained)
    champion = registry.champion(MODEL)
    assert champion is not None
    assert champion.version == "1"
    assert registry.challenger(MODEL) is None
    assert [event.kind for event in registry.events(MODEL)] == ["promoted", "refused"]
