import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.training.early_stopping import StopEarly
from medpipe.training.fit import fit
from medpipe.training.params import EarlyStoppingParams, TrainerParams
from tests.training import regression
from tests.training.regression import VALIDATE_EVERY, Regression, course, train

PARAMS = EarlyStoppingParams(metric="val_loss", patience=2)


class Scripted(Regression):
    """Its validation loss follows a script; so it is known when training must stop and what is best."""

    SCRIPT = (5.0, 3.0, 4.0, 3.5, 1.0, 1.0)

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.weights: dict[int, dict[str, torch.Tensor]] = {}

    def on_validation_end(self) -> None:
        self.weights[self.global_step] = {name: value.clone() for name, value in self.state_dict().items()}

    def validation_step(self, batch, batch_idx: int) -> None:
        self.log("val_loss", self.SCRIPT[min(self.global_step // VALIDATE_EVERY, len(self.SCRIPT)) - 1], batch_size=8)


@pytest.fixture
def _scripted(monkeypatch) -> None:
    monkeypatch.setattr(regression, "Regression", Scripted)


@pytest.mark.usefixtures("_scripted")
def test_stops_after_the_patience_with_the_best_weights(tmp_path):
    module, history = train(tmp_path, early_stopping=PARAMS)
    assert course(history, "val_loss")["value"].tolist() == list(Scripted.SCRIPT[:4])
    torch.testing.assert_close(dict(module.state_dict()), module.weights[8], rtol=0, atol=0)
    assert not torch.equal(module.weights[8]["network.0.weight"], module.weights[16]["network.0.weight"])


@pytest.mark.usefixtures("_scripted")
def test_with_more_patience_it_gets_over_the_bump(tmp_path):
    module, history = train(tmp_path, early_stopping=EarlyStoppingParams(patience=3), max_steps=24)
    assert course(history, "val_loss")["value"].tolist() == list(Scripted.SCRIPT)
    torch.testing.assert_close(dict(module.state_dict()), module.weights[20], rtol=0, atol=0)


@pytest.mark.usefixtures("_scripted")
@pytest.mark.parametrize("killed_at", [9, 13, 15])
@pytest.mark.parametrize("checkpoint_every", [1, VALIDATE_EVERY, 5])
def test_a_resumed_training_stops_at_the_same_place(tmp_path, monkeypatch, killed_at: int, checkpoint_every: int):
    whole, whole_history = train(tmp_path / "whole", early_stopping=PARAMS)
    step = Scripted.training_step

    def die(self, batch, index):
        if self.global_step == killed_at:
            raise KeyError("killed")
        return step(self, batch, index)

    trainer = {"early_stopping": PARAMS, "checkpoint_every_n_steps": checkpoint_every}
    monkeypatch.setattr(Scripted, "training_step", die)
    with pytest.raises(KeyError):
        train(tmp_path / "killed", **trainer)
    monkeypatch.setattr(Scripted, "training_step", step)
    resumed, history = train(tmp_path / "killed", **trainer)
    torch.testing.assert_close(dict(resumed.state_dict()), dict(whole.state_dict()), rtol=0, atol=0)
    pd.testing.assert_frame_equal(course(history), course(whole_history))


def test_an_unknown_metric_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(InputError, match=r"'val_dice', which nobody measures; choose one of: .*val_loss"):
        train(tmp_path, early_stopping=EarlyStoppingParams(metric="val_dice"))


def test_without_validation_data_there_is_nothing_to_stop_at(tmp_path):
    params = TrainerParams(max_steps=2, early_stopping=PARAMS)
    with pytest.raises(InputError, match="no validation data"):
        fit(Regression(2), [], params=params, work_dir=tmp_path, run_key="a")


def test_smaller_changes_than_min_delta_do_not_count():
    stop = StopEarly(EarlyStoppingParams(mode="max", min_delta=0.1, patience=1))
    assert [stop._evaluate_stopping_criteria(torch.tensor(value))[0] for value in (0.5, 0.7, 0.75)] == [0, 0, 1]
