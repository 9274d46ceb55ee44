"""The detector's network: a small residual U-Net that says for each cell of 2 x 2 x 2 voxels if a nodule lies there.

Anchor-free detection after Zhou et al., "Objects as Points" (2019), in three dimensions. Feature maps start at stride
2: the first layer folds each 2 x 2 x 2 block into eight channels (nothing is lost), which saves seven eighths of the
arithmetic of full-resolution layers and is what makes training on a CPU possible. For the same reason the level at
stride 2, which costs as much as all others together, has two plain convolutions and the coarser ones residual blocks.
"""

import math
from functools import partial
from itertools import pairwise

import torch
from monai.networks.blocks import Convolution, UnetResBlock
from torch import Tensor, nn
from torch.nn import functional

from medpipe.nodules.detection.params import DetectorParams

STRIDE = 2
"""Voxels a cell along each axis."""

REFERENCE_DIAMETER_MM = 8.0
"""Diameters are predicted as the logarithm of their ratio to this one, so that the start value is a usual nodule."""

PRIOR_PROBABILITY = 0.01
"""Probability that a fresh network gives each cell (Lin et al., "Focal loss for dense object detection", 2017, 4.1)."""

_GROUPS = 8
_ACTIVATION = ("leakyrelu", {"negative_slope": 0.01, "inplace": True})  # as in MONAI's residual blocks
_OUTPUTS = 5  # heat, offset z, y, x, log diameter


class CentreNet(nn.Module):
    """Image to heat map, offsets and diameters.

    Input B x 1 x D x H x W in [0, 1], edges multiples of `coarsest_stride`; output B x 5 x D/2 x H/2 x W/2: logit of
    the heat map, offset (z, y, x) of the centre from the cell's centre in cells, log(diameter / 8 mm).
    """

    def __init__(self, params: DetectorParams) -> None:
        super().__init__()
        channels = params.channels
        norm = ("group", {"num_groups": _GROUPS}) if params.norm == "group" else params.norm
        self.coarsest_stride = STRIDE ** len(channels)
        block = partial(Convolution, 3, kernel_size=3, norm=norm, act=_ACTIVATION, adn_ordering="NA")
        self.stem = block(in_channels=STRIDE**3, out_channels=channels[0])
        self.encoder = nn.ModuleList(
            [UnetResBlock(3, before, after, 3, 2, norm) for before, after in pairwise(channels)]
        )
        pairs = list(pairwise(channels))[::-1]
        self.lateral = nn.ModuleList(
            [Convolution(3, wide, narrow, kernel_size=1, conv_only=True) for narrow, wide in pairs]
        )
        self.decoder = nn.ModuleList([UnetResBlock(3, narrow, narrow, 3, 1, norm) for narrow, _ in pairs[:-1]])
        self.decoder.append(block(in_channels=channels[0], out_channels=channels[0]))
        self.head = nn.Conv3d(channels[0], _OUTPUTS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        prior_logit = -math.log((1 - PRIOR_PROBABILITY) / PRIOR_PROBABILITY)
        self.head.bias = nn.Parameter(torch.tensor([prior_logit] + [0.0] * (_OUTPUTS - 1)))
        # With batch statistics the CPU's convolutions run 1.5 times faster on this layout; with InstanceNorm, slower.
        self._layout = torch.channels_last_3d if params.norm == "batch" else torch.contiguous_format
        self.to(memory_format=self._layout)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        features = self.stem(fold(image).contiguous(memory_format=self._layout))
        skips = []
        for block in self.encoder:
            skips.append(features)
            features = block(features)
        for lateral, block in zip(self.lateral, self.decoder, strict=True):
            coarse = functional.interpolate(lateral(features), scale_factor=2.0, mode="nearest")
            features = block(coarse + skips.pop())
        return self.head(features)


def fold(image: Tensor) -> Tensor:
    """B x 1 x D x H x W to B x 8 x D/2 x H/2 x W/2: each cell's eight voxels become channels."""
    batch, _, depth, height, width = image.shape
    cells = image.reshape(batch, depth // STRIDE, STRIDE, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    return cells.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)
