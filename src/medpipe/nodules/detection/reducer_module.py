"""The second stage's training as a Lightning module."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from medpipe.nodules.augment import augment
from medpipe.nodules.cube_networks import build_cube_network
from medpipe.nodules.detection.params import TrainReducerParams
from medpipe.nodules.detection.second_look import N_CLASSES
from medpipe.training.module import NetworkModule

_UINT8_MAX = 255.0


class ReducerModule(NetworkModule[nn.Module]):
    """Trains a network for cubes on batches of `medpipe.nodules.cubes.CubeBatches`, targets 0 (false alarm) and 1.

    Args:
        params: Of the training.
    """

    def __init__(self, params: TrainReducerParams) -> None:
        network = build_cube_network(params.network, params.cubes.edge, N_CLASSES)
        super().__init__(network, params.optimizer, params.trainer.max_steps)
        self._params = params

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self.step_seed(int(batch["step"]), self._params.trainer.seed)
        image, _, _ = augment(image, self._params.augment, seed)
        loss = functional.cross_entropy(self.network(image[:, None]).float(), batch["target"].long())
        self.log("train_loss", loss.detach(), batch_size=len(image))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Cross-entropy of untouched validation cubes, and how often the more probable class is the right one."""
        logits = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX).float()
        target = batch["target"].long()
        right = (logits.argmax(dim=1) == target).float().mean()
        found = {"val_loss": functional.cross_entropy(logits, target), "val_accuracy": right}
        self.log_dict({name: torch.as_tensor(value) for name, value in found.items()}, batch_size=len(target))
