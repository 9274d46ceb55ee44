import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.training.fit import LAST
from tests.training.regression import Regression, train


def finite(weights: dict[str, torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in weights.values())


def test_a_nan_in_the_data_stops_the_training_and_names_step_and_scans(tmp_path):
    with pytest.raises(InputError, match=r"training step 7: the loss is nan .* cut from series 1\.2\.0, 1\.2\.7\. "):
        train(tmp_path, nan_at=7, checkpoint_every_n_steps=1)
    kept = torch.load(tmp_path / LAST, weights_only=True)
    assert kept["global_step"] == 7
    assert finite(kept["state_dict"])


def test_an_infinite_gradient_of_a_finite_loss_is_seen(tmp_path, monkeypatch):
    """The root of 0 is 0, its slope is infinite."""

    def root(self, batch, batch_idx):
        return (self.network(batch["image"]) * 0).abs().sqrt().sum()

    monkeypatch.setattr(Regression, "training_step", root)
    with pytest.raises(InputError, match=r"training step 0: the loss is 0 and the gradient's norm nan"):
        train(tmp_path)
