"""The classifier's training as a Lightning module."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpipe.nodules.augment import augment
from medpipe.nodules.classification.params import TrainClassifierParams
from medpipe.nodules.cube_networks import build_cube_network
from medpipe.training.module import NetworkModule

_UINT8_MAX = 255.0
_SEED_STRIDE = 1_000_003  # a prime: augmentation seeds of different runs do not follow each other


class ClassifierModule(NetworkModule[nn.Module]):
    """Trains a network for cubes on batches of `medpipe.nodules.cubes.CubeBatches`.

    Targets are B x (1 + K): the class, 0 to 1, and K standardised numbers, not a number where they are not known. The
    network has as many outputs, the class's logit first.

    Args:
        params: Of the training.
    """

    def __init__(self, params: TrainClassifierParams) -> None:
        network = build_cube_network(params.network, params.cubes.edge, 1 + len(params.auxiliary))
        super().__init__(network, params.optimizer, params.trainer.max_steps)
        self._params = params

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self._params.trainer.seed * _SEED_STRIDE + int(batch["step"]) + (self.global_rank << 32)
        image, _, _ = augment(image, self._params.augment, seed)
        losses = self._losses(self.network(image[:, None]), batch["target"])
        self.log_dict({f"train_{name}": value.detach() for name, value in losses.items()}, batch_size=len(image))
        return losses["loss"]

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss of untouched validation cubes."""
        output = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX)
        losses = self._losses(output, batch["target"])
        self.log_dict({f"val_{name}": value for name, value in losses.items()}, batch_size=len(output))

    def _losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        output = output.float()  # under autocast it is bf16
        of_class = functional.binary_cross_entropy_with_logits(output[:, 0], target[:, 0])
        if target.shape[1] == 1:
            return {"loss": of_class}
        known = target[:, 1:].isfinite()
        error = functional.smooth_l1_loss(output[:, 1:], torch.nan_to_num(target[:, 1:]), reduction="none")
        auxiliary = (error * known).sum() / len(output)
        return {"loss": of_class + self._params.auxiliary_weight * auxiliary, "class": of_class, "auxiliary": auxiliary}
