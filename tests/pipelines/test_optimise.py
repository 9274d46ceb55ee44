"""The pipeline through the real command line, with a generator that is not trained."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.molecules.encoding.tokens import Vocabulary
from medpipe.molecules.generation.sequence.networks import Generator, generator_checkpoint
from medpipe.molecules.generation.sequence.params import GeneratorParams
from tests.scratch import kedro, make_project, nodes_that_ran

NODES = {"provide_property_models", "choose_starts", "optimise", "draw_optimised", "draw_optimisation"}
TEST = [f"C{'C' * i}Oc1ccccc1{tail}" for i in range(6) for tail in ("", "N", "Br", "C(=O)O")]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with molecules, and no generator yet."""
    project = make_project(tmp_path_factory.mktemp("optimise") / "project")
    table = project / "data" / "test" / "03_primary" / "smiles.parquet"
    table.parent.mkdir(parents=True)
    splits = ["train" if i % 3 else "test" for i in range(len(TEST))]
    pd.DataFrame({"smiles": TEST, "split": splits}).to_parquet(table)
    return project


def run(project: Path, *more: str):
    return kedro(project, "run", "--pipeline=optimise", "--env=test", *more)


@pytest.fixture(scope="module")
def without_generator(project) -> str:
    done = run(project)
    assert done.returncode != 0
    return done.stdout


@pytest.fixture(scope="module")
def output(project, without_generator) -> str:
    torch.manual_seed(0)
    vocabulary, params = Vocabulary.learn(TEST, 20), GeneratorParams(noise_size=4, embedding_size=16, hidden_size=16)
    checkpoint = generator_checkpoint(Generator(params, vocabulary), params, vocabulary, 30, {})
    checkpoint.save(project / "data" / "test" / "06_models" / "smiles_generator.safetensors")
    done = run(project)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_without_a_generator_it_says_what_is_missing(without_generator):
    assert "smiles_generator.safetensors: no smiles_generator is there yet" in without_generator


def test_every_node_runs_and_all_is_written(project, output):
    assert set(nodes_that_ran(output)) == NODES - {"provide_property_models"}  # done in the run without a generator
    data = project / "data" / "test"
    table = pd.read_parquet(data / "07_model_output" / "optimised.parquet")
    assert (table["rank"] == 0).sum() == 4
    assert {"drug_likeness", "drug_likeness_value", "synthesis_value", "filters"} <= set(table)
    assert json.loads((data / "08_reporting" / "optimisation_metrics.json").read_text())["drawn"] == 4 + 2 * 4 * 10
    assert (data / "08_reporting" / "optimised.png").stat().st_size > 1000
    assert (data / "08_reporting" / "optimisation.png").stat().st_size > 1000
