"""The peer's training as a Lightning module, on the same batches as our detector's."""

import torch
from torch import Tensor

from medpipe.nodules.augment import augment
from medpipe.nodules.detection.params import TrainDetectorParams
from medpipe.nodules.detection.retinanet import BoxDetector, build_retinanet
from medpipe.nodules.detection.targets import NODULE
from medpipe.training.module import NetworkModule

_UINT8_MAX = 255.0


class RetinaNetModule(NetworkModule[BoxDetector]):
    """Trains a `BoxDetector` on batches of `medpipe.nodules.detection.sampling.PatchBatches`.

    Irrelevant findings are background to it: MONAI's loss knows no box that may be answered either way.

    Args:
        params: Of the training.
        spacing_mm: Size of the store's voxels.
    """

    def __init__(self, params: TrainDetectorParams, spacing_mm: float) -> None:
        network = build_retinanet(params.detector.retinanet, spacing_mm)
        super().__init__(network, params.optimizer, params.trainer.max_steps)
        self._params = params
        self._spacing_mm = spacing_mm

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Loss of an augmented batch."""
        image = batch["image"].float() / _UINT8_MAX
        seed = self.step_seed(int(batch["step"]), self._params.trainer.seed)
        image, centres, _ = augment(image, self._params.augment, seed, centres=batch["centres"])
        return self._losses(self.network, image, batch, centres, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss of untouched validation patches."""
        self._losses(self.kept_network, batch["image"].float() / _UINT8_MAX, batch, batch["centres"], "val")

    def _losses(
        self, network: BoxDetector, image: Tensor, batch: dict[str, Tensor], centres: Tensor, stage: str
    ) -> Tensor:
        boxes = boxes_of(centres, batch["diameters_mm"] / self._spacing_mm, batch["kinds"], image.shape[-1])
        found = network.losses(image[:, None], boxes)
        parts = {"heat_loss": found["classification"], "box_loss": found["box_regression"].to(image.device)}
        loss = parts["heat_loss"] + parts["box_loss"]
        values = {"loss": loss.detach(), **{name: value.detach() for name, value in parts.items()}}
        self.log_dict({f"{stage}_{name}": value for name, value in values.items()}, batch_size=len(image))
        return loss


def boxes_of(centres: Tensor, diameters: Tensor, kinds: Tensor, edge: int) -> list[Tensor]:
    """Boxes of the nodules whose centre lies in the patch, cut at its faces.

    Args:
        centres: B x K x 3 voxel coordinates (z, y, x) in the patch.
        diameters: B x K, voxels.
        kinds: B x K.
        edge: Of the cubic patches, voxels.

    Returns:
        B tensors n x 6, float32.
    """
    middle = centres.float() + 0.5  # voxel coordinates count from the middle of the first voxel, boxes from its face
    radius = diameters.float()[..., None] / 2
    boxes = torch.cat([middle - radius, middle + radius], dim=-1).clamp(0, edge)
    wanted = (kinds == NODULE) & ((middle >= 0) & (middle < edge)).all(dim=-1)
    return [found[keep] for found, keep in zip(boxes, wanted, strict=True)]
