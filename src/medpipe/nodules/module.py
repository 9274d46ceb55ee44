"""The detector's training as a Lightning module."""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from medpipe.nodules.augment import augment
from medpipe.nodules.losses import detection_loss
from medpipe.nodules.network import CentreNet
from medpipe.nodules.params import TrainDetectorParams
from medpipe.nodules.targets import Targets, make_targets

_UINT8_MAX = 255.0
_SEED_STRIDE = 1_000_003  # a prime: augmentation seeds of different runs do not follow each other


class DetectorModule(pl.LightningModule):
    """Trains a `CentreNet` on batches of `medpipe.nodules.sampling.PatchBatches`.

    Args:
        params: Of the training.
        spacing_mm: Size of the store's voxels.
    """

    def __init__(self, params: TrainDetectorParams, spacing_mm: float) -> None:
        super().__init__()
        self._params = params
        self._spacing_mm = spacing_mm
        self.network = CentreNet(params.detector)
        self.average = (
            AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(params.ema_decay), use_buffers=True)
            if params.ema_decay > 0
            else None
        )
        if self.average is not None:
            self.average.requires_grad_(False)

    @property
    def kept_network(self) -> CentreNet:
        """The network whose weights are kept: the moving average, where there is one."""
        network = self.network if self.average is None else self.average.module
        assert isinstance(network, CentreNet)
        return network

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self._params.trainer.seed * _SEED_STRIDE + int(batch["step"]) + (self.global_rank << 32)
        image, centres = augment(image, batch["centres"], self._params.augment, seed)
        losses = detection_loss(self.network(image[:, None]), self._targets(batch, centres))
        self.log_dict({f"train_{name}": value.detach() for name, value in losses.items()}, batch_size=len(image))
        return losses["loss"]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Follows the weights with their moving average, faster in the beginning.

        Done here and not at the end of the batch, where a checkpoint may already have been written.
        """
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            decay = min(self._params.ema_decay, (1 + self.global_step) / (10 + self.global_step))
            self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
            self.average.update_parameters(self.network)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Loss of untouched validation patches, and how high the centres and the background score."""
        output = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX)
        targets = self._targets(batch, batch["centres"])
        losses = detection_loss(output, targets)
        size = len(batch["image"])
        self.log_dict({f"val_{name}": value for name, value in losses.items()}, batch_size=size)
        probability = torch.sigmoid(output[:, 0].float())
        at_centres = (probability * targets.weight).sum() / targets.weight.sum().clamp(min=1.0)
        background = (probability * (targets.heat < 0.01) * targets.counted).amax(dim=(1, 2, 3)).mean()
        found = {"val_probability_at_centres": at_centres, "val_highest_background": background}
        self.log_dict(found, batch_size=size)

    def configure_optimizers(self) -> dict[str, object]:
        """AdamW, linear warm-up, cosine to zero."""
        parameters = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self._params.learning_rate, weight_decay=self._params.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        last = self._params.trainer.max_steps
        warmup = max(1, round(self._params.warmup_share * last))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, last - warmup))))

    def _targets(self, batch: dict[str, Tensor], centres: Tensor) -> Targets:
        edge = batch["image"].shape[-1]
        return make_targets(centres, batch["diameters_mm"], batch["kinds"], edge, self._spacing_mm)
