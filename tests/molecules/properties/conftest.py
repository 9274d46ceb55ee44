"""Small tables of molecules with properties, and a model trained on one for a few steps."""

from pathlib import Path

import pandas as pd
import pytest
from rdkit.Chem import Crippen, MolFromSmiles

from medpipe.molecules.properties.ingest import ingest_properties
from medpipe.molecules.properties.model import PropertyModel
from medpipe.molecules.properties.params import (
    BoostingParams,
    IngestPropertiesParams,
    MessagePassingParams,
    TrainPropertiesParams,
)
from medpipe.molecules.properties.train import train_properties
from medpipe.training.checkpoint import Checkpoint

SMALL = TrainPropertiesParams(
    network=MessagePassingParams(hidden_size=24, descriptors=False),
    boosting=BoostingParams(max_trees=15),
    n_members=2,
    batch_size=32,
    max_steps=8,
    accelerator="cpu",
    n_jobs=1,
)


@pytest.fixture(scope="session")
def written(molecules: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """logP of each molecule, and whether it has nitrogen, which is unknown of every third."""
    rows = [
        (smiles, Crippen.MolLogP(MolFromSmiles(smiles)), "" if i % 3 == 0 else int("n" in smiles.lower()))
        for i, smiles in enumerate(molecules[::3])
    ]
    path = tmp_path_factory.mktemp("properties") / "table.csv"
    pd.DataFrame(rows, columns=["smiles", "log P", "has_n"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def table(written: Path) -> pd.DataFrame:
    return ingest_properties(written, IngestPropertiesParams(val_fraction=0.2, test_fraction=0.2, n_jobs=1))[0]


@pytest.fixture(scope="session")
def trained(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, pd.DataFrame]:
    return train_properties(table, SMALL, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def model(trained: tuple[Checkpoint, pd.DataFrame]) -> PropertyModel:
    return PropertyModel.of(trained[0])
