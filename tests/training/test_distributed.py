from pathlib import Path

import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.training.distributed import processes_to_start
from medpipe.training.params import TrainerParams
from tests.training import regression
from tests.training.regression import Regression, course, train


class Witness(Regression):
    """Leaves beside the checkpoints what its process saw and what weights it had in the end."""

    folder: Path

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.folder = Witness.folder  # of the object too: processes get the object, not what a test did to the class

    def on_train_end(self) -> None:
        found = self.seen, dict(self.network.named_parameters()), self.val_losses
        torch.save(found, self.folder / f"rank{self.global_rank}.pt")


def test_two_processes_learn_one_network_from_different_batches(tmp_path, monkeypatch):
    """Read by a worker of each, which must know whose worker it is."""
    monkeypatch.setattr(regression, "Regression", Witness)
    monkeypatch.setattr(Witness, "folder", tmp_path, raising=False)
    module, history = train(tmp_path / "work", devices=2, max_steps=4, n_workers=1)
    (seen, weights, val), (other_seen, other_weights, other_val) = (
        torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1)
    )
    for step, (batch, other) in enumerate(zip(seen, other_seen, strict=True)):
        torch.testing.assert_close(batch, torch.randn(8, 1, generator=torch.Generator().manual_seed(2 * step)))
        torch.testing.assert_close(other, torch.randn(8, 1, generator=torch.Generator().manual_seed(2 * step + 1)))
    torch.testing.assert_close(weights, other_weights, rtol=0, atol=0)
    torch.testing.assert_close(dict(module.network.named_parameters()), weights, rtol=0, atol=0)
    alone, _ = train(tmp_path / "alone", max_steps=4)
    assert not torch.equal(alone.network[0].weight, module.network[0].weight)
    assert (history["name"] == "loss").sum() == 4
    assert val != other_val
    expected = sum([*val, *other_val]) / 4
    assert course(history, "val_loss")["value"].item() == pytest.approx(expected, rel=1e-5)


def test_an_error_in_a_process_reaches_the_user(tmp_path):
    with pytest.raises(InputError, match="training step 2: the loss is nan"):
        train(tmp_path, devices=2, nan_at=2, max_steps=4)


@pytest.mark.parametrize(
    ("variables", "params", "expected"),
    [
        ({}, {"devices": 3, "accelerator": "cpu"}, 3),
        ({}, {"devices": "auto", "accelerator": "cpu"}, 1),
        ({"LOCAL_RANK": "0"}, {"devices": 3}, 1),
        ({}, {"devices": 3, "num_nodes": 2}, 1),
    ],
)
def test_processes_are_started_where_nobody_else_did(monkeypatch, variables, params, expected: int):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes_to_start(TrainerParams(max_steps=1, **params)) == expected
