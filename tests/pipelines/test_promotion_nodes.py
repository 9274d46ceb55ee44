"""What a version made stays that version's, whoever is in the contest by the time that it is measured."""

from pathlib import Path

import pandas as pd
import pytest

from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.metrics.contest import GeneratorGateParams, nothing_drawn
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.nodules.contest.params import NoduleGateParams
from medpipe.nodules.contest.search import nothing_found
from medpipe.nodules.evaluation.params import EvaluateParams
from medpipe.pipelines.imaging_promotion import nodes as imaging
from medpipe.pipelines.molecules_promotion import nodes as molecules
from medpipe.pipelines.promotion.nodes import VERSION
from medpipe.registry.contest import find_contest
from medpipe.registry.dataset import Contestant
from tests.registry.shelf import Shelf


@pytest.fixture(scope="module")
def contestant(tmp_path_factory: pytest.TempPathFactory) -> Contestant:
    """A version whose files are no generator."""
    shelf = Shelf(tmp_path_factory.mktemp("contest"))
    version = shelf.registry.register("smiles_generator", shelf.log("weights"), shelf.run_id, {})
    folder = shelf.registry.download("smiles_generator", 1, tmp_path_factory.mktemp("files") / "files")
    contest = find_contest(shelf.registry, "smiles_generator")
    return Contestant("smiles_generator", version, folder, contest)


def test_what_was_drawn_names_its_version(contestant: Contestant):
    assert molecules.draw(contestant, SampleParams()).attrs[VERSION] == "1"


def test_what_was_found_names_its_version(contestant: Contestant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(imaging, "_models", lambda _: None)
    found = imaging.search(contestant, None, None, None, None, None, None, Path())  # type: ignore[arg-type]
    assert found[0].attrs[VERSION] == "1"


def test_scores_of_molecules_are_of_the_version_that_drew_them(tmp_path: Path):
    drawn, smiles = nothing_drawn("None."), pd.DataFrame({"smiles": ["CCO"], "split": ["test"]})
    drawn.attrs[VERSION] = "4"
    scores = molecules.score(drawn, smiles, tmp_path, ScoreParams(), GeneratorGateParams(), tmp_path)
    assert scores.attrs["version"] == "4"


def test_scores_of_networks_are_of_the_version_that_searched():
    found = nothing_found("None.")
    found.candidates.attrs[VERSION] = "4"
    test = pd.DataFrame({"series_uid": ["1"], "patient": [0], "seen_by": [""]}).astype({"series_uid": "str"})
    nodules = pd.DataFrame({"finding_id": ["a"], "series_uid": ["1"], "kind": ["nodule"]})
    scores = imaging.measure(*found, nodules, test, NoduleGateParams(), EvaluateParams())
    assert scores.attrs["version"] == "4"
