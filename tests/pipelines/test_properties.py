"""The pipeline through the real command line, on a table of the user's."""

import json
from pathlib import Path

import pandas as pd
import pytest
from rdkit import Chem
from rdkit.Chem.Descriptors import TPSA, MolWt

from tests.scratch import kedro, make_project, nodes_that_ran

NODES = [
    "provide_properties",
    "ingest_properties",
    "train_properties",
    "evaluate_properties",
    "draw_property_model",
]
SMILES = [
    f"{'C' * i}{link}{ring}" for i in range(1, 9) for link in ("", "O", "N", "C(=O)") for ring in ("C1CC1", "c1ccccc1")
]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A table of two properties, one sometimes missing, with a line that is no molecule, in the folder of a project."""
    project = make_project(tmp_path_factory.mktemp("properties") / "project")
    molecules = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
    table = pd.DataFrame({"smiles": SMILES, "weight": map(MolWt, molecules), "area": map(TPSA, molecules)})
    table.loc[::5, "area"] = None
    table.loc[len(table)] = ["C1CC", 42.0, 0.0]
    table.to_csv(project / "mine.csv", index=False)
    return project


@pytest.fixture(scope="module")
def output(project) -> str:
    done = kedro(project, "run", "--pipeline=properties", "--env=test", "--params=property_source.path=mine.csv")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_node_runs_in_order(output):
    assert nodes_that_ran(output) == NODES


def test_all_is_written(project, output):
    data = project / "data" / "test"
    assert pd.read_parquet(data / "03_primary" / "property_rejected.parquet")["text"].tolist() == ["C1CC"]
    metrics = json.loads((data / "08_reporting" / "property_metrics.json").read_text())
    assert {"weight/rmse", "area/rmse", "mean/rmse", "networks/mean/rmse", "trees/mean/rmse"} <= set(metrics)
    assert (data / "08_reporting" / "property_model.png").stat().st_size > 1000


def test_a_column_that_is_not_there_is_named(project, output):
    done = kedro(
        project,
        *("run", "--pipeline=properties", "--env=test"),
        "--params=property_source.path=mine.csv,ingest_properties.targets=solubility",
    )
    assert done.returncode != 0
    assert "solubility" in done.stdout
    assert "mine.csv" in done.stdout
