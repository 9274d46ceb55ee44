from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.properties import module as module_of_training
from medpipe.molecules.properties.model import PropertyModel
from medpipe.molecules.properties.predict import predict
from medpipe.molecules.properties.train import train_properties
from medpipe.training.checkpoint import Checkpoint
from tests.molecules.properties.conftest import SMALL

N_PASSES = 4
"""Of two batches each."""


def test_all_members_learn(trained: tuple[Checkpoint, pd.DataFrame]) -> None:
    history = trained[1]
    for name in ("val_loss", "member_1_val_loss"):
        course = history[history["name"] == name]["value"]
        assert len(course) == N_PASSES
        assert course.iloc[-1] < course.iloc[0]


def test_a_model_survives_its_file(trained: tuple[Checkpoint, pd.DataFrame], tmp_path: Path) -> None:
    smiles = ["CCOc1ccccc1", "CCN"]
    trained[0].save(tmp_path / "model.safetensors")
    again = Checkpoint.load(tmp_path / "model.safetensors", "property_model")
    pd.testing.assert_frame_equal(predict(again, smiles), predict(trained[0], smiles))


def test_predictions_have_uncertainty_and_domain(model: PropertyModel, table: pd.DataFrame) -> None:
    known = table[table["split"] == "train"]["smiles"].iloc[0]
    found = predict(model, [known, "FC(F)(F)C(F)(F)C(F)(F)C(F)(F)S", "no molecule"])
    assert found.columns.tolist() == [
        "log P",
        "has_n",
        "log P_uncertainty",
        "has_n_uncertainty",
        "similarity",
        "in_domain",
    ]
    assert found["in_domain"].tolist() == [True, False, False]
    assert found["similarity"][0] == 1
    assert found.loc[2].drop("in_domain").isna().all()
    assert (found.loc[:1, ["log P_uncertainty", "has_n_uncertainty"]] > 0).all(axis=None)
    assert found.loc[:1, "has_n"].between(0, 1).all()


@pytest.mark.parametrize("smiles", [[], ["no molecule"]])
def test_no_molecule_is_no_error(model: PropertyModel, smiles: list[str]) -> None:
    found = predict(model, smiles)
    assert len(found) == len(smiles)
    assert not found["in_domain"].any()


def test_most_of_val_is_in_the_domain(model: PropertyModel, table: pd.DataFrame) -> None:
    val = predict(model, table[table["split"] == "val"]["smiles"].tolist())
    assert 0.9 <= val["in_domain"].mean() <= 1


def test_errors_of_val_are_as_large_as_said(model: PropertyModel, table: pd.DataFrame) -> None:
    val = table[table["split"] == "val"]
    found = predict(model, val["smiles"].tolist())
    ratio = (found["log P"] - val["log P"].to_numpy()) / found["log P_uncertainty"]
    assert np.sqrt((ratio**2).mean()) == pytest.approx(1, abs=0.15)


class Killed(Exception):
    """What a test stops a training with."""


def test_a_killed_training_ends_as_if_it_had_not_been(
    trained: tuple[Checkpoint, pd.DataFrame], table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = module_of_training.PropertyModule.training_step
    seen: list[int] = []

    def dies(self: module_of_training.PropertyModule, batch: dict, batch_idx: int) -> torch.Tensor:
        seen.append(self.global_step)
        if len(seen) == 14:  # in the second network
            raise Killed
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(module_of_training.PropertyModule, "training_step", dies)
        with pytest.raises(Killed):
            train_properties(table, SMALL, tmp_path)
    n_before = len(seen)
    assert seen[-1] < n_before - 1, "the second network had begun"

    def counts(self: module_of_training.PropertyModule, batch: dict, batch_idx: int) -> torch.Tensor:
        seen.append(self.global_step)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(module_of_training.PropertyModule, "training_step", counts)
    resumed, history = train_properties(table, SMALL, tmp_path)
    assert len(seen) < 2 * (n_before - 1)
    for name, weight in trained[0].weights.items():
        torch.testing.assert_close(resumed.weights[name], weight)
    assert len(history[history["name"] == "val_loss"]) == N_PASSES


def test_another_checkpoint_is_refused() -> None:
    with pytest.raises(InputError, match="'smiles_generator', expected 'property_model'"):
        PropertyModel.of(Checkpoint("smiles_generator", {}, {}))
