"""What every trained network has in common: optimizer, schedule, and a moving average of the weights."""

import math
from typing import Any, Generic, TypeVar, cast

import lightning.pytorch as pl
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from medpipe.training.params import OptimizerParams

Network = TypeVar("Network", bound=nn.Module)

SEED_STRIDE = 1_000_003
"""A prime."""


class NetworkModule(pl.LightningModule, Generic[Network]):
    """A network with AdamW, warm-up and cosine, and the moving average of its weights.

    Subclasses give ``training_step``, and ``validation_step`` that uses `kept_network`.

    Args:
        network: What is trained.
        optimizer: How.
        max_steps: Optimizer steps in all, for the schedule.
    """

    def __init__(self, network: Network, optimizer: OptimizerParams, max_steps: int) -> None:
        super().__init__()
        self._optimizer = optimizer
        self._max_steps = max_steps
        self.network = network
        self.average = (
            AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(optimizer.ema_decay), use_buffers=True)
            if optimizer.ema_decay > 0
            else None
        )
        if self.average is not None:
            self.average.requires_grad_(False)

    @property
    def kept_network(self) -> Network:
        """The network whose weights are kept: the moving average, where there is one."""
        return cast(Network, self.network if self.average is None else self.average.module)

    def step_seed(self, step: int, seed: int) -> int:
        """Seed of what is drawn in one step for the batch of all processes, such as the augmentation.

        Args:
            step: Number of the batch.
            seed: Of the training; those of different trainings do not follow each other.
        """
        return seed * SEED_STRIDE + step

    def kept_weights(self) -> dict[str, torch.Tensor]:
        """Those of `kept_network`, on the CPU."""
        return {name: tensor.detach().cpu() for name, tensor in self.kept_network.state_dict().items()}

    def log(self, name: str, value: Any, **settings: Any) -> None:
        """Into the history: the mean over all processes, that of the global batch, so that they decide alike."""
        super().log(name, value, **{**settings, "sync_dist": True})

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """All of the batch but its number, which is asked for as an int: from the device, that would stop its queue."""
        moved = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return {**moved, "step": batch["step"]} if isinstance(batch, dict) and "step" in batch else moved

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Follows the weights with their moving average, faster in the beginning.

        Done here and not at the end of the batch, where a checkpoint may already have been written.
        """
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            decay = min(self._optimizer.ema_decay, (1 + self.global_step) / (10 + self.global_step))
            self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.average.update_parameters(self.network)

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW, linear warm-up, cosine to zero."""
        parameters = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=self._optimizer.learning_rate, weight_decay=self._optimizer.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        warmup = max(1, round(self._optimizer.warmup_share * self._max_steps))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, self._max_steps - warmup))))
