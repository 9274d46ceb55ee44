"""The property model as a pyfunc model: SMILES in; properties, their uncertainty and the domain out."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from medpipe.molecules.properties.model import KIND, PropertyModel
from medpipe.training.checkpoint import Checkpoint

CHECKPOINT = "property_model.safetensors"
SIGNATURE = ModelSignature(inputs=Schema([ColSpec("string", "smiles")]))
"""What comes out depends on the targets: see `PropertiesModel.predict`."""
EXAMPLE = ("CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C")
"""Ethanol, phenol, aspirin, caffeine."""


def prepare(checkpoint: Path, folder: Path) -> pd.DataFrame:
    """Copies the checkpoint into the model's data folder.

    Returns:
        Input example: four molecules.
    """
    shutil.copyfile(checkpoint, folder / CHECKPOINT)
    return pd.DataFrame({"smiles": list(EXAMPLE)})


def _load_pyfunc(data_path: str) -> "PropertiesModel":
    return PropertiesModel(Checkpoint.load(Path(data_path) / CHECKPOINT, KIND))


class PropertiesModel:
    """Predicts properties of molecules."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = PropertyModel.of(checkpoint)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predicts each row.

        Args:
            model_input: Column smiles.
            params: Not used.

        Returns:
            Columns smiles, ``<task>``, ``<task>_uncertainty``, similarity, in_domain; no values for invalid SMILES.
        """
        smiles = model_input["smiles"].astype(str).tolist()
        table = self._model.predict(smiles, n_jobs=1)
        table.insert(0, "smiles", smiles)
        return table
