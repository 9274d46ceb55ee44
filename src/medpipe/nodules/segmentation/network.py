"""The segmenter's network: MONAI's dynamic U-Net, which says for each voxel if it belongs to what is outlined."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from medpipe.core.errors import InputError
from medpipe.nodules.segmentation.params import SegmenterParams
from medpipe.training.checkpoint import Checkpoint

KIND = "segmenter"
"""Of a segmenter's checkpoints."""


PRIOR_PROBABILITY = 0.02
"""Probability that a fresh network gives each voxel: about the share of a patch that a nodule takes."""

MIDDLE_SIGMA_VOXELS = 4.0
"""Width of the Gaussian that shows the place: as far as a candidate may lie from the centre of its lesion."""

_NEGATIVE_SLOPE = 0.01
_ACTIVATION = ("leakyrelu", {"inplace": True, "negative_slope": _NEGATIVE_SLOPE})


class Segmenter(nn.Module):
    """Image to foreground logits: nnU-Net's plain U-Net, kept thin at full resolution so that a CPU can train it.

    Input B x 1 x D x H x W in [0, 1], edges multiples of ``params.coarsest_stride``; output B x 1 x D x H x W. After
    Isensee et al., "nnU-Net" (Nature Methods 18, 2021).

    Args:
        params: Shape of the network.
        at_place: Whether it outlines only what lies at the middle of its input, as the mask head of a Mask R-CNN does
            (He et al., 2017): a second channel then shows where the middle is. Otherwise it outlines all there is.
    """

    def __init__(self, params: SegmenterParams, *, at_place: bool) -> None:
        super().__init__()
        from monai.networks.nets import DynUNet

        levels = len(params.channels)
        self.at_place = at_place
        self.coarsest_stride = params.coarsest_stride
        self.unet = DynUNet(
            spatial_dims=3,
            in_channels=2 if at_place else 1,
            out_channels=1,
            kernel_size=[3] * levels,
            strides=[1] + [2] * (levels - 1),
            upsample_kernel_size=[2] * (levels - 1),
            filters=params.channels,
            dropout=params.dropout or None,
            norm_name=params.norm,
            act_name=_ACTIVATION,
        )
        bias = cast(Tensor, self.unet.output_block.conv.conv.bias)
        nn.init.constant_(bias, -math.log((1 - PRIOR_PROBABILITY) / PRIOR_PROBABILITY))
        # The CPU's convolutions run 1.5 times faster on this layout.
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        if self.at_place:
            image = torch.cat([image, _middle(image).expand_as(image)], dim=1)
        return cast(Tensor, self.unet(image.contiguous(memory_format=torch.channels_last_3d)))


def _middle(image: Tensor) -> Tensor:
    """A Gaussian around the middle of an image: 1 x 1 x D x H x W."""
    squared = torch.zeros((), device=image.device, dtype=image.dtype)
    for axis, size in enumerate(image.shape[2:]):
        away = torch.arange(size, device=image.device, dtype=image.dtype) - (size - 1) / 2
        squared = squared + away.reshape([-1 if other == axis else 1 for other in range(3)]) ** 2
    return torch.exp(-squared / (2 * MIDDLE_SIGMA_VOXELS**2))[None, None]


def load_network(checkpoint: Checkpoint) -> Segmenter:
    """Rebuilds the network of a checkpoint, ready for inference.

    Raises:
        InputError: If the checkpoint is of another kind.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint kind is {checkpoint.kind!r}, expected {KIND!r}: give a segmenter's checkpoint")
    network = Segmenter(SegmenterParams(**checkpoint.params["segmenter"]), at_place=checkpoint.params["at_place"])
    network.load_state_dict(checkpoint.weights)
    return network.eval()
