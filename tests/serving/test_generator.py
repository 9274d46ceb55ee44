"""The generator as MLflow serves it."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.models import Model

from medpipe.core.errors import InputError
from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.serving import generator as loader
from medpipe.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def model(saved_models: dict[str, Path]) -> mlflow.pyfunc.PyFuncModel:
    """The model as the tracking hook writes it, read back."""
    assert Model.load(saved_models["generator"]).signature is not None
    return mlflow.pyfunc.load_model(str(saved_models["generator"]))


def test_each_row_gives_as_many_as_it_asks_for(model: mlflow.pyfunc.PyFuncModel) -> None:
    drawn = model.predict(pd.DataFrame({"n": [3, 5], "seed": [7, 8]}))
    assert drawn.seed.tolist() == [7] * 3 + [8] * 5


def test_it_draws_what_sampling_draws(model: mlflow.pyfunc.PyFuncModel, generator_checkpoint: Path) -> None:
    drawn = model.predict(pd.DataFrame({"n": [20], "seed": [7], "temperature": [0.8], "top_p": [0.9]}))
    same = sample(Checkpoint.load(generator_checkpoint), SampleParams(n=20, seed=7, temperature=0.8, top_p=0.9))
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
def test_a_value_out_of_range_is_named_with_its_row(generator_checkpoint: Path, row: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        loader.GeneratorModel(Checkpoint.load(generator_checkpoint)).predict(pd.DataFrame([{"n": 1, "seed": 0}, row]))
