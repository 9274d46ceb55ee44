"""The segmenter's training as a Lightning module."""

import torch
from torch import Tensor
from torch.nn import functional

from medpipe.nodules.augment import augment
from medpipe.nodules.segmentation.network import Segmenter
from medpipe.nodules.segmentation.params import TrainSegmenterParams
from medpipe.training.module import NetworkModule
from medpipe.training.processes import mean_count

_UINT8_MAX = 255.0


class SegmenterModule(NetworkModule[Segmenter]):
    """Trains a `Segmenter` on batches of `medpipe.nodules.segmentation.sampling.MaskBatches`.

    Args:
        params: Of the training.
    """

    def __init__(self, params: TrainSegmenterParams) -> None:
        network = Segmenter(params.segmenter, at_place=params.sampling.at_place)
        super().__init__(network, params.optimizer, params.trainer.max_steps)
        self._params = params

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self.step_seed(int(batch["step"]), self._params.trainer.seed)
        image, _, mask = augment(image, self._params.augment, seed, mask=batch["mask"])
        losses = segmentation_loss(self.network(image[:, None])[:, 0], mask, self._params.dice_weight)
        self.log_dict({f"train_{name}": value.detach() for name, value in losses.items()}, batch_size=len(image))
        return losses["loss"]

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss of untouched validation patches."""
        logits = self.kept_network(batch["image"].float()[:, None] / _UINT8_MAX)[:, 0]
        losses = segmentation_loss(logits, batch["mask"], self._params.dice_weight)
        self.log_dict({f"val_{name}": value for name, value in losses.items()}, batch_size=len(logits))


def segmentation_loss(logits: Tensor, mask: Tensor, dice_weight: float) -> dict[str, Tensor]:
    """Soft Dice and cross-entropy, in float32 whatever the network computes in.

    Dice is the mean over the patches with foreground, so that a small lesion counts as much as a large one; patches
    without foreground, for which it is not defined, teach by their cross-entropy.

    Args:
        logits: B x D x H x W.
        mask: Of the foreground, of the same shape.
        dice_weight: Of the Dice loss, beside cross-entropy.

    Returns:
        Scalars ``loss`` and its parts ``dice_loss`` and ``cross_entropy``.
    """
    from monai.losses import DiceLoss

    logits, truth = logits.float(), mask.float()
    present = mask.any(dim=(1, 2, 3)).float()
    dice_of_each = DiceLoss(sigmoid=True, reduction="none")(logits[:, None], truth[:, None]).flatten()
    dice = (dice_of_each * present).sum() / mean_count(present.sum())
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    loss: Tensor = dice_weight * dice + cross_entropy
    return {"loss": loss, "dice_loss": dice, "cross_entropy": torch.as_tensor(cross_entropy)}
