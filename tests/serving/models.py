"""Small models as the tracking hook saves them."""

import importlib
from pathlib import Path

import mlflow
import pandas as pd
import torch

from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.params import GeneratorParams, SequenceParams
from medpipe.molecules.generation.train import train_gan
from medpipe.molecules.properties.train import train_properties
from medpipe.training.params import TrainerParams
from tests.molecules.properties.conftest import SMALL

MOLECULES = [f"{'C' * n}{tail}" for n in range(1, 9) for tail in ("O", "N", "Br", "c1ccccc1")]


def make_generator(folder: Path) -> Path:
    """Checkpoint of a generator that has learnt next to nothing."""
    torch.set_num_threads(1)
    store = encode(pd.DataFrame({"smiles": MOLECULES, "split": "train"}), EncodeParams(n_merges=5), folder / "store")
    params = GanParams(
        sequence=SequenceParams(generator=GeneratorParams(noise_size=4, embedding_size=16, hidden_size=16)),
        batch_size=8,
        trainer=TrainerParams(max_steps=10, accelerator="cpu"),
    )
    path = folder / "generator.safetensors"
    train_gan(store, params, folder / "work").generator.save(path)
    return path


def make_property_model(folder: Path) -> Path:
    """Checkpoint of a model of one number."""
    smiles = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]
    table = pd.DataFrame({"smiles": smiles, "split": (["train"] * 8 + ["val", "test"]) * 3})
    table = table.assign(y=table["smiles"].str.len().astype("float64"))
    path = folder / "properties.safetensors"
    train_properties(table, SMALL.model_copy(update={"max_steps": 2}), folder / "work")[0].save(path)
    return path


def save_model(kind: str, source: Path, folder: Path) -> Path:
    """Folder of an MLflow model as the tracking hook makes it, without its copy of the code.

    Args:
        kind: Module of `medpipe.serving`.
        source: What its ``prepare`` takes.
        folder: For the model and its data.
    """
    loader = importlib.import_module(f"medpipe.serving.{kind}")
    data = folder / f"{kind}-data"
    data.mkdir()
    mlflow.pyfunc.save_model(
        folder / kind,
        loader_module=loader.__name__,
        input_example=loader.prepare(source, data),
        data_path=str(data),
        signature=loader.SIGNATURE,
        pip_requirements=[],
        streamable=getattr(loader, "STREAMABLE", False),
    )
    return folder / kind
