"""The molecule generator as a pyfunc model: how many molecules and a seed in, SMILES out."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from medpipe.molecules.generation.params import SampleParams
from medpipe.training.checkpoint import Checkpoint

CHECKPOINT = "smiles_generator.safetensors"
MAX_MOLECULES = 1_000_000
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("long", "n"), ColSpec("long", "seed"), ColSpec("double", "temperature", required=False)]),
    outputs=Schema([ColSpec("long", "seed"), ColSpec("string", "smiles")]),
)


def prepare(checkpoint: Path, folder: Path) -> pd.DataFrame:
    """Copies the checkpoint into the model's data folder.

    Returns:
        Input example: eight molecules with seed 0.
    """
    shutil.copyfile(checkpoint, folder / CHECKPOINT)
    return pd.DataFrame({"n": [8], "seed": [0], "temperature": [1.0]})


def _load_pyfunc(data_path: str) -> "GeneratorModel":
    return GeneratorModel(Checkpoint.load(Path(data_path) / CHECKPOINT, "smiles_generator"))


class GeneratorModel:
    """Draws molecules; nothing is filtered."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Draws ``n`` molecules for each row.

        Args:
            model_input: Columns n (1 to 1,000,000), seed and, optional, temperature.
            params: Not used.

        Returns:
            Columns seed and smiles: n rows for each row of the input.
        """
        from medpipe.molecules.generation.sample import sample

        parts = []
        for row in model_input.to_dict(orient="records"):
            n, seed, temperature = int(row["n"]), int(row["seed"]), float(row.get("temperature", 1.0))
            if not 1 <= n <= MAX_MOLECULES:
                raise ValueError(f"n must be 1 to {MAX_MOLECULES}, got {n}")
            drawn = sample(self._checkpoint, SampleParams(n=n, seed=seed, temperature=temperature))
            parts.append(drawn[["smiles"]].assign(seed=seed))
        return pd.concat(parts, ignore_index=True)[["seed", "smiles"]]
