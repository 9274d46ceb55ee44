"""Parameters of the peer detector, MONAI's RetinaNet."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from medpipe.core.params import Params


class RetinaNetParams(Params):
    """Shape of the network (`medpipe.nodules.detection.retinanet`).

    The defaults are those that MONAI's tutorial on LUNA16 trains (``detection/config/config_train_luna16_16g.json`` of
    Project-MONAI/tutorials): a ResNet-50 with two levels and a third that pools the second, three anchors a place.
    Lengths are given in mm here, for any voxel size.

    Attributes:
        block: Of the ResNet.
        blocks: How many in each of its four stages.
        block_channels: Their channels; a bottleneck gives four times as many.
        conv1_stride: Voxels that the first layer steps. With the pooling behind it, the finest level has twice this
            stride: 2.8 mm in the tutorial (2, at 0.7 mm), so 1 for voxels from 1 mm.
        returned_layers: Stages that are levels of the pyramid.
        pyramid_channels: Of every level and of the heads, which take most of the time; a multiple of 8.
        anchor_edges_mm: Edges (z, y, x) of the boxes at the finest level; each coarser level doubles them.
    """

    block: Literal["basic", "bottleneck"] = "bottleneck"
    blocks: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)
    block_channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512)
    conv1_stride: PositiveInt = 1
    returned_layers: tuple[Literal[1, 2, 3, 4], ...] = Field((1, 2), min_length=1)
    pyramid_channels: PositiveInt = Field(256, multiple_of=8)
    anchor_edges_mm: tuple[tuple[PositiveFloat, PositiveFloat, PositiveFloat], ...] = Field(
        ((5.0, 5.6, 4.2), (6.25, 4.2, 5.6), (7.5, 7.0, 7.0)), min_length=1
    )
