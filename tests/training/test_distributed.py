import ipaddress
import os
from pathlib import Path

import pandas as pd
import psutil
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

    def on_train_start(self) -> None:
        host = psutil.Process(os.getppid())
        sockets = [end for process in host.children(recursive=True) for end in process.net_connections("inet")]
        listening = [end.laddr.ip for end in sockets if end.status == psutil.CONN_LISTEN]
        torch.save(listening, self.folder / f"listening{self.global_rank}.pt")

    def on_train_end(self) -> None:
        found = self.seen, dict(self.network.named_parameters()), self.val_losses
        torch.save(found, self.folder / f"rank{self.global_rank}.pt")


SAME = {"max_steps": 4, "dropout": 0.0}  # dropout is each process's own


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> tuple[Path, Regression, pd.DataFrame]:
    """Two processes, their batches read by a worker of each, which must know whose worker it is."""
    folder = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression, "Regression", Witness)
        patch.setattr(Witness, "folder", folder, raising=False)
        return folder, *train(folder / "work", batch_size=8, devices=2, n_workers=1, **SAME)


def test_each_of_two_processes_has_its_part_of_the_batch_and_both_learn_one_network(together):
    folder, module, history = together
    (seen, weights, val), (other_seen, other_weights, other_val) = (
        torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)
    )
    for step, parts in enumerate(zip(seen, other_seen, strict=True)):
        drawn = torch.randn(16, 1, generator=torch.Generator().manual_seed(2 * step))
        torch.testing.assert_close(torch.cat(parts), drawn, rtol=0, atol=0)
    torch.testing.assert_close(weights, other_weights, rtol=0, atol=0)
    torch.testing.assert_close(dict(module.network.named_parameters()), weights, rtol=0, atol=0)
    assert val != other_val
    expected = sum([*val, *other_val]) / 4
    assert course(history, "val_loss")["value"].item() == pytest.approx(expected, rel=1e-5)


def test_two_processes_learn_what_one_does_from_the_same_global_batch(together, tmp_path):
    """Losses step by step, weights, running statistics and moving average, but for rounding."""
    _, two, course_of_two = together
    one, course_of_one = train(tmp_path, batch_size=16, **SAME)
    pd.testing.assert_frame_equal(course(course_of_two), course(course_of_one), rtol=1e-4)
    torch.testing.assert_close(two.state_dict(), one.state_dict(), rtol=1e-4, atol=5e-4)


def test_the_processes_listen_to_each_other_only(together):
    folder, _, _ = together
    listening = torch.load(folder / "listening0.pt")
    assert listening
    assert {ipaddress.ip_address(ip).is_loopback for ip in listening} == {True}


def test_an_error_in_a_process_reaches_the_user(tmp_path):
    with pytest.raises(InputError, match="training step 2: the loss is nan"):
        train(tmp_path, devices=2, nan_at=2, max_steps=4)


@pytest.mark.parametrize(
    ("variables", "params", "expected"),
    [
        ({}, {"devices": 3, "accelerator": "cpu"}, 3),
        ({}, {"devices": "auto", "accelerator": "cpu"}, 1),
        ({"LOCAL_RANK": "0"}, {"devices": 3}, 1),
        ({"LOCAL_RANK": "0"}, {"devices": 3, "num_nodes": 2}, 1),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, {"devices": 3}, 3),
    ],
)
def test_processes_are_started_where_nobody_else_did(monkeypatch, variables, params, expected: int):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processes_to_start(TrainerParams(max_steps=1, **params)) == expected


def test_several_hosts_without_torchrun_are_refused():
    with pytest.raises(InputError, match="num_nodes is 2, but this process stands alone"):
        processes_to_start(TrainerParams(max_steps=1, devices=1, num_nodes=2))
