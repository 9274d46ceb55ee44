import lightning.pytorch as pl
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from medpipe.training.fit import LAST, fit
from medpipe.training.params import TrainerParams


class Killed(Exception):
    pass


class Line(pl.LightningModule):
    """Learns y = 3x with dropout, so that the random state matters; may be killed at a step."""

    def __init__(self, kill_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.kill_at = kill_at

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.kill_at:
            raise Killed
        loss = (self.layer(batch) - 3 * batch).square().mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.05)


class Batches(IterableDataset):
    """Batch i is a function of i; starts where the module is."""

    def __init__(self, module: Line) -> None:
        self.module = module

    def __iter__(self):
        step = self.module.global_step
        while True:
            yield torch.randn(8, 1, generator=torch.Generator().manual_seed(step))
            step += 1


def run(tmp_path, kill_at=None, run_key="a", max_steps=30) -> tuple[Line, pd.DataFrame]:
    params = TrainerParams(
        seed=1, max_steps=max_steps, checkpoint_every_n_steps=5, log_every_n_steps=1, accelerator="cpu"
    )
    pl.seed_everything(1, verbose=False)
    module = Line(kill_at)
    batches = DataLoader(Batches(module), batch_size=None)
    return module, fit(module, batches, params=params, work_dir=tmp_path / "work", run_key=run_key)


def test_history_holds_every_logged_value(tmp_path):
    _, history = run(tmp_path)
    assert list(history.columns) == ["step", "name", "value"]
    assert history.step.tolist() == list(range(30))
    assert history.value.iloc[-1] < history.value.iloc[0]


def test_killed_run_goes_on_to_the_same_weights_and_history(tmp_path):
    whole, whole_history = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_at=17)
    resumed, resumed_history = run(tmp_path / "killed")
    torch.testing.assert_close(resumed.layer.weight, whole.layer.weight, rtol=0, atol=0)
    pd.testing.assert_frame_equal(resumed_history, whole_history)


def test_checkpoints_of_another_run_are_not_used(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, kill_at=17)
    assert (tmp_path / "work" / LAST).exists()
    _, history = run(tmp_path, run_key="b")
    assert history.step.tolist() == list(range(30))
