"""A training small enough for tests, with all that could go wrong in a resumed one: dropout, batch statistics, a moving
average, validation, early stopping. As a script it dies at a given step as a killed process does.

    python -m tests.training.regression FOLDER STEP
"""

import os
import signal
import sys
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from medpipe.training.data import StepSampler, loader
from medpipe.training.fit import fit
from medpipe.training.module import NetworkModule
from medpipe.training.params import EarlyStoppingParams, OptimizerParams, TrainerParams
from medpipe.training.processes import share
from medpipe.training.seeds import seed_everything

VALIDATE_EVERY = 4


class Numbers(Dataset[dict[str, Tensor]]):
    """Batch i is a function of i, of which each process has its part; it says which scans it claims to be from."""

    def __init__(self, nan_at: int | None = None, batch_size: int = 8) -> None:
        self.nan_at = nan_at
        self.batch_size = batch_size

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        total, own = share(self.batch_size)
        x = torch.randn(total, 1, generator=torch.Generator().manual_seed(2 * step))[own]
        if step == self.nan_at:
            x[3] = torch.nan
        return {"image": x, "step": torch.tensor(step), "series_uids": [f"1.2.{step}", "1.2.0"]}


class Regression(NetworkModule[nn.Sequential]):
    """Learns y = 3x; may be killed at a step."""

    def __init__(self, max_steps: int, kill_at: int | None = None, dropout: float = 0.2) -> None:
        hidden = nn.Linear(1, 8, bias=False)  # a bias before batch statistics learns nothing but rounding errors
        network = nn.Sequential(hidden, nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))
        super().__init__(network, OptimizerParams(learning_rate=0.05), max_steps)
        self.kill_at = kill_at
        self.seen: list[Tensor] = []
        self.val_losses: list[float] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        if self.global_step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(batch["image"])
        loss = (self.network(batch["image"]) - 3 * batch["image"]).square().mean()
        self.log("loss", loss, prog_bar=True, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        found = self.kept_network(batch["image"])
        loss = (found - 3 * batch["image"]).square().mean()
        self.val_losses.append(float(loss))
        self.log("val_loss", loss, batch_size=len(batch["image"]))


def train(
    folder: Path,
    *,
    max_steps: int = 30,
    kill_at: int | None = None,
    nan_at: int | None = None,
    n_workers: int = 0,
    batch_size: int = 8,
    dropout: float = 0.2,
    run_key: str = "a",
    early_stopping: EarlyStoppingParams | None = None,
    **trainer: object,
) -> tuple[Regression, pd.DataFrame]:
    settings = {"seed": 1, "checkpoint_every_n_steps": 5, "log_every_n_steps": 1, "accelerator": "cpu"}
    settings |= {"devices": 1, "deterministic": True}
    params = TrainerParams(max_steps=max_steps, early_stopping=early_stopping, **{**settings, **trainer})
    torch.set_num_threads(1)  # what dropout draws depends on their number, which tests before this one may have changed
    seed_everything(1)
    module = Regression(max_steps, kill_at, dropout)
    history = fit(
        module,
        loader(Numbers(nan_at, batch_size), StepSampler(lambda: module.global_step, VALIDATE_EVERY), n_workers),
        params=params,
        work_dir=folder,
        run_key=run_key,
        val_batches=loader(Numbers(None, batch_size), range(1000, 1002), 0),
    )
    return module, history


def course(history: pd.DataFrame, *names: str) -> pd.DataFrame:
    """What does not depend on the clock."""
    return history[history["name"].isin(names or ["loss", "val_loss"])].reset_index(drop=True)


if __name__ == "__main__":
    train(Path(sys.argv[1]), kill_at=int(sys.argv[2]), checkpoint_every_n_steps=int(sys.argv[3]))
