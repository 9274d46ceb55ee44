"""Networks that say one thing about a cube: a nodule or not, malignant or benign, one texture or another."""

from typing import cast

import torch
from torch import Tensor, nn

from medpipe.nodules.params import CubeNetworkParams

RESNET_LAYERS = {10: [1, 1, 1, 1], 18: [2, 2, 2, 2]}
"""Basic blocks a stage by depth (He et al., "Deep Residual Learning for Image Recognition", 2016, table 1)."""

_CONVOLUTION_EDGE = 3


class LungNoduleDetector(nn.Module):
    """The classic 3D CNN on candidate cubes: convolutions with pooling, then two fully connected layers.

    Each stage is Conv3d 3 x 3 x 3, max pooling by 2, batch normalisation and ReLU. Input B x 1 x E x E x E in [0, 1],
    output logits B x n_outputs. After Dou et al., "Multilevel contextual 3-D CNNs for false positive reduction in
    pulmonary nodule detection", IEEE TBME 64 (2017), with the normalisation that came later.

    Args:
        edge: E, at least 2 to the power of the number of stages.
        n_outputs: Logits a cube.
        channels: Of each stage.
        hidden: Units of the first fully connected layer.
        dropout: Before each fully connected layer.
    """

    def __init__(
        self,
        edge: int,
        n_outputs: int = 2,
        channels: tuple[int, ...] = (16, 32, 64),
        hidden: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for before, after in zip((1, *channels), channels, strict=False):
            convolution = nn.Conv3d(before, after, _CONVOLUTION_EDGE, padding=_CONVOLUTION_EDGE // 2, bias=False)
            # Pooled first: the greatest value stays the greatest, and the rest goes through an eighth of the voxels
            stages += [convolution, nn.MaxPool3d(2), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*stages)
        n_features = channels[-1] * (edge // 2 ** len(channels)) ** 3
        if n_features == 0:
            raise ValueError(f"edge is {edge}: {len(channels)} poolings need at least {2 ** len(channels)} voxels")
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(n_features, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_outputs),
        )
        # With batch statistics the CPU's convolutions run faster on this layout.
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, cubes: Tensor) -> Tensor:
        """See the class."""
        return cast(Tensor, self.classifier(self.features(cubes.contiguous(memory_format=torch.channels_last_3d))))


def build_cube_network(params: CubeNetworkParams, edge: int, n_outputs: int) -> nn.Module:
    """A fresh network for cubes.

    Args:
        params: Which one, and its shape.
        edge: E, voxels.
        n_outputs: Logits a cube.

    Returns:
        Input B x 1 x E x E x E in [0, 1], output logits B x n_outputs.

    Raises:
        ValueError: If the cubes are too small for the network's poolings.
    """
    if params.kind == "lung_nodule_detector":
        return LungNoduleDetector(edge, n_outputs, params.channels, params.hidden, params.dropout)
    return _resnet(params, n_outputs)


def _resnet(params: CubeNetworkParams, n_outputs: int) -> nn.Module:
    """MONAI's residual network; a first layer of 3 voxels without stride, as for all images that are small."""
    from monai.networks.nets import ResNet

    widths = [params.resnet_width * 2**stage for stage in range(4)]
    network = ResNet(
        "basic",
        RESNET_LAYERS[params.resnet_depth],
        widths,
        n_input_channels=1,
        conv1_t_size=_CONVOLUTION_EDGE,
        conv1_t_stride=1,
        num_classes=n_outputs,
    )
    network.fc = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(widths[-1], n_outputs))
    return network
