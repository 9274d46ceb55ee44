"""The detector's loss: focal heat map, and L1 of offset and size where there is a nodule."""

import torch
from torch import Tensor
from torch.nn import functional

from medpipe.nodules.detection.targets import Targets
from medpipe.training.processes import mean_count

FOCAL_POWER = 2.0
NEAR_POWER = 4.0
"""Law and Deng, "CornerNet" (2018), equation 1: alpha, and beta that spares cells beside a centre."""

OFFSET_WEIGHT = 1.0
DIAMETER_WEIGHT = 0.5


def detection_loss(output: Tensor, targets: Targets) -> dict[str, Tensor]:
    """Loss of a batch, in float32 whatever the network computes in.

    Args:
        output: B x 5 x D x H x W, of the network.
        targets: Its targets.

    Returns:
        Scalars ``loss`` and its parts ``heat_loss``, ``offset_loss``, ``diameter_loss``, each a mean over nodules.
    """
    output = output.float()
    n_nodules = mean_count(targets.weight.sum())
    heat = heat_loss(output[:, 0], targets) / n_nodules
    offset = functional.smooth_l1_loss(output[:, 1:4], targets.offset, reduction="none").sum(dim=1)
    offset = (offset * targets.weight).sum() / n_nodules
    diameter = functional.smooth_l1_loss(output[:, 4], targets.log_diameter, reduction="none")
    diameter = (diameter * targets.weight).sum() / n_nodules
    return {
        "loss": heat + OFFSET_WEIGHT * offset + DIAMETER_WEIGHT * diameter,
        "heat_loss": heat,
        "offset_loss": offset,
        "diameter_loss": diameter,
    }


def heat_loss(logit: Tensor, targets: Targets) -> Tensor:
    """Penalty-reduced focal loss, summed: positive cells by their weight, others by their distance from a peak."""
    probability = torch.sigmoid(logit)
    positive = -targets.weight * (1 - probability) ** FOCAL_POWER * functional.logsigmoid(logit)
    spared = (1 - targets.heat) ** NEAR_POWER * (targets.weight == 0) * targets.counted
    negative = -spared * probability**FOCAL_POWER * functional.logsigmoid(-logit)
    return (positive + negative).sum()
