"""The molecule generator as a pyfunc model: how many molecules and a seed in, SMILES out, at once or batch by batch."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from medpipe.core.errors import InputError
from medpipe.molecules.generation.params import SampleParams
from medpipe.training.checkpoint import Checkpoint

CHECKPOINT = "smiles_generator.safetensors"
MAX_MOLECULES = 1_000_000
"""Most molecules of one row, which are held in memory; `GeneratorModel.predict_stream` draws any number."""
STREAMABLE = True
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("long", "n"),
            ColSpec("long", "seed"),
            ColSpec("double", "temperature", required=False),
            ColSpec("double", "top_p", required=False),
        ]
    ),
    outputs=Schema([ColSpec("long", "seed"), ColSpec("string", "smiles")]),
)


def prepare(checkpoint: Path, folder: Path) -> pd.DataFrame:
    """Copies the checkpoint into the model's data folder.

    Returns:
        Input example: eight molecules with seed 0.
    """
    shutil.copyfile(checkpoint, folder / CHECKPOINT)
    return pd.DataFrame({"n": [8], "seed": [0], "temperature": [1.0], "top_p": [1.0]})


def _load_pyfunc(data_path: str) -> "GeneratorModel":
    return GeneratorModel(Checkpoint.load(Path(data_path) / CHECKPOINT, "smiles_generator"))


class GeneratorModel:
    """Draws molecules; nothing is filtered."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Draws ``n`` molecules for each row.

        Args:
            model_input: Columns n (1 to 1,000,000), seed and, optional, temperature and top_p (1 where it is missing).
            params: Not used.

        Returns:
            Columns seed and smiles: n rows for each row of the input.

        Raises:
            InputError: A value is out of its range; nothing was drawn.
        """
        from medpipe.molecules.generation.sample import sample

        rows = model_input.to_dict(orient="records")
        wanted = [_sample_params(row, number, MAX_MOLECULES) for number, row in enumerate(rows)]
        parts = [sample(self._checkpoint, params)[["smiles"]].assign(seed=params.seed) for params in wanted]
        return pd.concat(parts, ignore_index=True)[["seed", "smiles"]]

    def predict_stream(self, model_input: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Draws molecules batch by batch; memory does not grow with their number.

        Args:
            model_input: n, seed and, optional, temperature and top_p: one row of what ``predict`` takes, with any n.

        Yields:
            The seed, and a list of SMILES.

        Raises:
            InputError: A value is out of its range.
        """
        from medpipe.molecules.generation.sample import draw_batches

        params = _sample_params(model_input, 0, None)
        for smiles in draw_batches(self._checkpoint, params):
            yield {"seed": params.seed, "smiles": smiles}


def _sample_params(row: Mapping[Any, Any], number: int, most: int | None) -> SampleParams:
    from pydantic import ValidationError

    given = {name: value for name, value in row.items() if not pd.isna(value)}
    try:
        params = SampleParams.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"row {number}: {name} is {first['input']!r}: {first['msg']}.") from error
    if most is not None and params.n > most:
        raise InputError(f"row {number}: n is {params.n}: at most {most} come at once; take predict_stream.")
    return params
