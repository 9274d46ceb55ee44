"""What trainings of this package have in common: steps by hand, chance by the batch number, measurements on the way."""

from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from medpipe.training.params import TrainerParams

Measure = Callable[[], dict[str, float]]


class Batches(IterableDataset[Tensor]):
    """Endless batches, each following from its number alone.

    Args:
        batch: Gives the batch of a number.
        first: Tells, when iteration starts, how many batches have been used: a resumed run goes on with the next.
    """

    def __init__(self, batch: Callable[[int], Tensor], first: Callable[[], int]) -> None:
        self._batch, self._first = batch, first

    def __iter__(self) -> Iterator[Tensor]:
        number = self._first()
        while True:
            yield self._batch(number)
            number += 1


class StepModule(pl.LightningModule):
    """A module that makes its optimizer steps itself, and goes on after a kill as if there had been none.

    Args:
        trainer: Steps, seed, clipping.
        measure: What is measured now and then; name to value.
        every_n_steps: Optimizer steps between measurements; 0 measures at the end only.
    """

    batches_seen: Tensor
    measured_at: Tensor

    def __init__(self, trainer: TrainerParams, measure: Measure, every_n_steps: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.budget = trainer
        self._measure, self._every = measure, every_n_steps
        self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("measured_at", torch.zeros((), dtype=torch.long))

    @property
    def n_batches_seen(self) -> int:
        """Batches used so far, those before an interruption too."""
        return int(self.batches_seen)

    @property
    def batch_seed(self) -> int:
        """Chance follows from the seed and the batch, so that a resumed run draws what it would have drawn."""
        return (self.budget.seed << 32) + self.n_batches_seen

    def make_step(self, optimizer: Any, loss: Tensor, network: torch.nn.Module) -> None:
        """One step of ``optimizer`` on the weights of ``network``, its gradient clipped."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.budget.gradient_clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.budget.gradient_clip_norm)
        optimizer.step()

    def end_batch(self, values: dict[str, Tensor]) -> None:
        """Counts the batch and notes ``values``; measures when it is time."""
        self.batches_seen += 1
        self.log_dict(values, prog_bar=True, logger=False)
        if self.n_batches_seen % self.budget.log_every_n_steps == 0:
            self._write({name: float(value) for name, value in values.items()})
        before, now = int(self.measured_at), self.global_step
        if now >= self.budget.max_steps or (self._every and now - before >= self._every):
            self.measured_at.fill_(now)
            self.eval()
            with torch.no_grad():
                self._write(self._measure())
            self.train()

    def _write(self, values: dict[str, float]) -> None:
        if self.logger is not None:
            self.logger.log_metrics(values, self.global_step)
