"""Registered models as catalog entries."""

import json

import pytest
from kedro.io import DatasetError

from medpipe.datasets.fingerprint import dataset_fingerprint
from medpipe.registry.contest import find_contest
from medpipe.registry.dataset import ContestantDataset, RegisteredModelDataset
from medpipe.registry.params import MLflowParams


@pytest.fixture
def make(shelf, tmp_path):
    def entry(kind, model, alias):
        dataset = kind(filepath=str(tmp_path / alias), model=model, alias=alias)
        dataset.connect(shelf.project, MLflowParams(), None)
        return dataset

    return entry


def test_the_champion_is_copied_and_follows_its_alias(make, fill, tmp_path):
    registry = fill("served", 2)
    dataset = make(RegisteredModelDataset, "served", "champion")
    registry.promote("served", "1", "first")
    first, before = dataset.load(), dataset_fingerprint(dataset, tmp_path)
    assert first.number == "1"
    assert first.file("weights.txt").read_text() == "weights 1"
    registry.promote("served", "2", "second")
    assert dataset_fingerprint(dataset, tmp_path) != before
    assert dataset.load().file("weights.txt").read_text() == "weights 2"
    assert json.loads(dataset.preview()) == {"model": "served", "champion": "2", "reason": "second"}


def test_a_copy_is_made_once(make, fill, tmp_path):
    fill("copied", 1)
    dataset = make(RegisteredModelDataset, "copied", "1")
    dataset.load().file("weights.txt").write_text("marked")
    assert dataset.load().file("weights.txt").read_text() == "marked"
    (tmp_path / "1" / "version.json").unlink()  # as after a kill in the middle of the copy
    assert dataset.load().file("weights.txt").read_text() == "weights 1"


def test_no_version_is_a_state_with_a_fingerprint(make, tmp_path):
    dataset = make(RegisteredModelDataset, "never_registered", "champion")
    found = dataset.load()
    assert (found.version, found.folder) == (None, None)
    assert dataset_fingerprint(dataset, tmp_path) is not None
    with pytest.raises(ValueError, match="no such version in the registry"):
        found.file("weights.txt")


def test_a_file_that_is_not_there_is_named(make, fill):
    fill("named", 1)
    with pytest.raises(ValueError, match=r"version 1 has no model.bin, but weights.txt"):
        make(RegisteredModelDataset, "named", "1").load().file("model.bin")


def test_contestants_stay_the_same_after_the_gate_and_change_after_a_roll_back(make, fill, tmp_path):
    from tests.registry.test_contest import settle

    registry = fill("fought", 1)
    settle(registry, "fought", "promote")
    fill("fought", 2)
    champion, challenger = (make(ContestantDataset, "fought", role) for role in ("champion", "challenger"))

    def state():
        return [dataset_fingerprint(dataset, tmp_path) for dataset in (champion, challenger)]

    before = state()
    assert (champion.load().number, challenger.load().number) == ("1", "3")
    settle(registry, "fought", "promote")
    assert state() == before
    registry.rollback("fought", "worse in use")
    assert state()[0] == before[0]
    assert state()[1] != before[1]
    assert challenger.load().version is None
    assert find_contest(registry, "fought").champion.version == "1"


def test_without_tracking_there_is_no_registry(make, shelf):
    dataset = make(RegisteredModelDataset, "served", "champion")
    dataset.connect(shelf.project, MLflowParams(enabled=False), None)
    with pytest.raises(DatasetError, match="enabled is false"):
        dataset.load()


def test_nothing_is_saved_there(make):
    with pytest.raises(DatasetError, match="registered when its own catalog entry is saved"):
        make(RegisteredModelDataset, "served", "champion").save(1)
