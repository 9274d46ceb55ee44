"""The classifier's training as a Lightning module."""

from torch import Tensor, nn
from torch.nn import functional

from medpipe.nodules.augment import augment
from medpipe.nodules.classification.params import TrainClassifierParams
from medpipe.nodules.cube_networks import build_cube_network
from medpipe.training.module import NetworkModule

_UINT8_MAX = 255.0


class ClassifierModule(NetworkModule[nn.Module]):
    """Trains a network for cubes on batches of `medpipe.nodules.cubes.CubeBatches`.

    Args:
        params: Of the training.
    """

    def __init__(self, params: TrainClassifierParams) -> None:
        network = build_cube_network(params.network, params.cubes.edge, n_outputs=1)
        super().__init__(network, params.optimizer, params.trainer.max_steps)
        self._params = params

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self.step_seed(int(batch["step"]), self._params.trainer.seed)
        image, _, _ = augment(image, self._params.augment, seed)
        loss = _loss(self.network(image[:, None]), batch["target"])
        self.log("train_loss", loss.detach(), batch_size=len(image))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss of untouched validation cubes."""
        output = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX)
        self.log("val_loss", _loss(output, batch["target"]), batch_size=len(output))


def _loss(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of B x 1 logits; in float32, which the output is not under autocast."""
    return functional.binary_cross_entropy_with_logits(output[:, 0].float(), target)
