"""The generator as MLflow serves it."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
import torch
from mlflow.models import Model

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.molecules.generation.sequence.params import GeneratorParams, SequenceParams
from medpipe.molecules.generation.train import train_gan
from medpipe.serving import generator as loader
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import TrainerParams

MOLECULES = [f"{'C' * n}{tail}" for n in range(1, 9) for tail in ("O", "N", "Br", "c1ccccc1")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("generator")
    store = encode(pd.DataFrame({"smiles": MOLECULES, "split": "train"}), EncodeParams(n_merges=5), folder / "store")
    params = GanParams(
        sequence=SequenceParams(generator=GeneratorParams(noise_size=4, embedding_size=16, hidden_size=16)),
        batch_size=8,
        trainer=TrainerParams(max_steps=10, accelerator="cpu"),
    )
    path = folder / "generator.safetensors"
    train_gan(store, params, folder / "work").generator.save(path)
    return path


@pytest.fixture(scope="module")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> mlflow.pyfunc.PyFuncModel:
    """The model as the tracking hook writes it, read back."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "data").mkdir()
    example = loader.prepare(checkpoint, folder / "data")
    mlflow.pyfunc.save_model(
        folder / "saved",
        loader_module=loader.__name__,
        data_path=str(folder / "data"),
        signature=loader.SIGNATURE,
        input_example=example,
        pip_requirements=[],
        streamable=loader.STREAMABLE,
    )
    assert Model.load(folder / "saved").signature is not None
    return mlflow.pyfunc.load_model(str(folder / "saved"))


def test_each_row_gives_as_many_as_it_asks_for(model: mlflow.pyfunc.PyFuncModel) -> None:
    drawn = model.predict(pd.DataFrame({"n": [3, 5], "seed": [7, 8]}))
    assert drawn.seed.tolist() == [7] * 3 + [8] * 5


def test_it_draws_what_sampling_draws(model: mlflow.pyfunc.PyFuncModel, checkpoint: Path) -> None:
    drawn = model.predict(pd.DataFrame({"n": [20], "seed": [7], "temperature": [0.8], "top_p": [0.9]}))
    same = sample(Checkpoint.load(checkpoint), SampleParams(n=20, seed=7, temperature=0.8, top_p=0.9))
    assert drawn.smiles.tolist() == same.smiles.tolist()


def test_what_a_row_leaves_open_is_as_trained(model: mlflow.pyfunc.PyFuncModel) -> None:
    asked = pd.DataFrame({"n": [4, 4], "seed": [1, 1], "temperature": [None, 1.0]})
    drawn = model.predict(asked).smiles.tolist()
    assert drawn[:4] == drawn[4:]


def test_it_streams_the_same_molecules(model: mlflow.pyfunc.PyFuncModel) -> None:
    chunks = list(model.predict_stream({"n": 2500, "seed": 3}))
    assert [len(chunk["smiles"]) for chunk in chunks] == [1000, 1000, 500]
    drawn = model.predict(pd.DataFrame({"n": [2500], "seed": [3]}))
    assert [smiles for chunk in chunks for smiles in chunk["smiles"]] == drawn.smiles.tolist()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"n": 0, "seed": 1}, "row 1: n is 0"),
        ({"n": loader.MAX_MOLECULES + 1, "seed": 1}, "row 1: n is 1000001"),
        ({"n": 1, "seed": -1}, "row 1: seed is -1"),
        ({"n": 1, "seed": 1, "temperature": -2.0}, "row 1: temperature is -2.0"),
        ({"n": 1, "seed": 1, "top_p": 1.5}, "row 1: top_p is 1.5"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_row(checkpoint: Path, row: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        loader.GeneratorModel(Checkpoint.load(checkpoint)).predict(pd.DataFrame([{"n": 1, "seed": 0}, row]))
