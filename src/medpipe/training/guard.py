"""Stops a training at the first loss or gradient that is no number, before it reaches the weights."""

from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from medpipe.core.errors import InputError
from medpipe.training.data import SERIES_UIDS


class StopAtNaN(Callback):
    """Looks at loss and gradient before each optimizer step.

    The step is not made and no checkpoint is written after it, so the last checkpoint still holds sound weights. The
    look costs the device one synchronisation a step.
    """

    def __init__(self) -> None:
        self._batch: Any = None
        self._loss: Tensor | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, *_: Any) -> None:
        """Remembers the batch, to name it."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Remembers the loss."""
        self._loss = loss.detach()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Stops the training if the step would harm the weights.

        Raises:
            InputError: Loss or gradient is infinite or not a number; it names the step and the scans of the batch.
        """
        weights = (weight for group in optimizer.param_groups for weight in group["params"])
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        loss = norm.new_zeros(()) if self._loss is None else self._loss
        if not bool(torch.isfinite(norm) & torch.isfinite(loss)):
            raise InputError(
                f"training step {trainer.global_step}: the loss is {float(loss):g} and the gradient's norm "
                f"{float(norm):g}, expected finite numbers{_origin(self._batch)}. The step was not made; checkpoints "
                "hold the weights before it. Look at these data, or lower the learning rate."
            )

    def on_train_batch_end(self, *_: Any) -> None:
        """Lets go of the batch."""
        self._batch = self._loss = None


def _origin(batch: Any) -> str:
    uids = batch.get(SERIES_UIDS, ()) if isinstance(batch, Mapping) else ()
    return f"; the batch was cut from series {', '.join(sorted(set(uids)))}" if uids else ""
