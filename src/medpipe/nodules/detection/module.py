"""The detector's training as a Lightning module."""

import torch
from torch import Tensor

from medpipe.nodules.augment import augment
from medpipe.nodules.detection.losses import detection_loss
from medpipe.nodules.detection.network import CentreNet
from medpipe.nodules.detection.params import TrainDetectorParams
from medpipe.nodules.detection.targets import Targets, make_targets
from medpipe.training.module import NetworkModule
from medpipe.training.processes import mean_count

_UINT8_MAX = 255.0


class DetectorModule(NetworkModule[CentreNet]):
    """Trains a `CentreNet` on batches of `medpipe.nodules.detection.sampling.PatchBatches`.

    Args:
        params: Of the training.
        spacing_mm: Size of the store's voxels.
    """

    def __init__(self, params: TrainDetectorParams, spacing_mm: float) -> None:
        super().__init__(CentreNet(params.detector), params.optimizer, params.trainer.max_steps)
        self._params = params
        self._spacing_mm = spacing_mm

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self.step_seed(int(batch["step"]), self._params.trainer.seed)
        image, centres, _ = augment(image, self._params.augment, seed, centres=batch["centres"])
        losses = detection_loss(self.network(image[:, None]), self._targets(batch, centres))
        self.log_dict({f"train_{name}": value.detach() for name, value in losses.items()}, batch_size=len(image))
        return losses["loss"]

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss of untouched validation patches, and how high the centres and the background score."""
        output = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX)
        targets = self._targets(batch, batch["centres"])
        losses = detection_loss(output, targets)
        size = len(batch["image"])
        self.log_dict({f"val_{name}": value for name, value in losses.items()}, batch_size=size)
        probability = torch.sigmoid(output[:, 0].float())
        at_centres = (probability * targets.weight).sum() / mean_count(targets.weight.sum())
        background = (probability * (targets.heat < 0.01) * targets.counted).amax(dim=(1, 2, 3)).mean()
        found = {"val_probability_at_centres": at_centres, "val_highest_background": background}
        self.log_dict(found, batch_size=size)

    def _targets(self, batch: dict[str, Tensor], centres: Tensor) -> Targets:
        edge = batch["image"].shape[-1]
        return make_targets(centres, batch["diameters_mm"], batch["kinds"], edge, self._spacing_mm)
