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

_NEGATIVE_SLOPE = 0.01
_ACTIVATION = ("leakyrelu", {"inplace": True, "negative_slope": _NEGATIVE_SLOPE})


class Segmenter(nn.Module):
    """Image to foreground logits: nnU-Net's plain U-Net, kept thin at full resolution so that a CPU can train it.

    Input B x 1 x D x H x W in [0, 1], edges multiples of ``params.coarsest_stride``; output B x 1 x D x H x W. After
    Isensee et al., "nnU-Net" (Nature Methods 18, 2021).
    """

    def __init__(self, params: SegmenterParams) -> None:
        super().__init__()
        from monai.networks.nets import DynUNet

        levels = len(params.channels)
        self.coarsest_stride = params.coarsest_stride
        self.unet = DynUNet(
            spatial_dims=3,
            in_channels=1,
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
        return cast(Tensor, self.unet(image.contiguous(memory_format=torch.channels_last_3d)))


def load_network(checkpoint: Checkpoint) -> Segmenter:
    """Rebuilds the network of a checkpoint, ready for inference.

    Raises:
        InputError: If the checkpoint is of another kind.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint kind is {checkpoint.kind!r}, expected {KIND!r}: give a segmenter's checkpoint")
    network = Segmenter(SegmenterParams(**checkpoint.params["segmenter"]))
    network.load_state_dict(checkpoint.weights)
    return network.eval()
