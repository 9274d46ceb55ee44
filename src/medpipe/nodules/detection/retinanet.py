"""The peer detector: MONAI's RetinaNet (Lin et al., "Focal loss for dense object detection", 2017), in 3D.

Network, anchors, matching, sampling, losses and choice of boxes are MONAI's. Two of its parts ask for torchvision, for
things that a ResNet and the ATSS matcher do not need; they are replaced here, so that the peer runs wherever MONAI
does: the module that picks layers out of a ResNet (the weights keep MONAI's names), and the question which library a
matcher is from.

A box is (z, y, x, z, y, x): first and last corner in voxels, a voxel being 1 long and the first beginning at 0.
"""

import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from medpipe.nodules.detection.retinanet_params import RetinaNetParams

ATSS_CANDIDATES = 4
SAMPLED_ANCHORS = 64
POSITIVE_SHARE = 0.3
NEGATIVE_POOL = 20
LEAST_NEGATIVES = 16
"""Anchors a nodule is matched with, and anchors an image that are learned from: ``luna16_training.py`` and
``config_train_luna16_16g.json`` of Project-MONAI/tutorials."""

NMS_OVERLAP = 0.22
TOP_BOXES_PER_LEVEL = 1000
"""Of two boxes that overlap more (IoU) the less probable is dropped; and boxes a level that are compared. Ibid."""


class PyramidOfResNet(nn.Module):
    """Features of some stages of a ResNet, each mixed with the coarser ones.

    Input B x 1 x D x H x W; output a dictionary of B x ``pyramid_channels`` x D/s x H/s x W/s, finest
    first.
    """

    def __init__(self, params: RetinaNetParams) -> None:
        super().__init__()
        self.out_channels = params.pyramid_channels
        backbone = ResNet(
            params.block,
            list(params.blocks),
            list(params.block_channels),
            n_input_channels=1,
            conv1_t_size=max(7, 2 * params.conv1_stride + 1),
            conv1_t_stride=params.conv1_stride,
            feed_forward=False,
        )
        self._levels = {f"layer{layer}" for layer in params.returned_layers}
        names = ["conv1", "bn1", "act", "maxpool", *(f"layer{n + 1}" for n in range(max(params.returned_layers)))]
        self.body = nn.ModuleDict({name: getattr(backbone, name) for name in names})
        growth = 4 if params.block == "bottleneck" else 1
        channels = [params.block_channels[layer - 1] * growth for layer in sorted(params.returned_layers)]
        self.fpn = FeaturePyramidNetwork(3, channels, params.pyramid_channels, LastLevelMaxPool(3))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """See the class."""
        levels: dict[str, Tensor] = {}
        for name, layer in self.body.items():
            image = layer(image)
            if name in self._levels:
                levels[str(len(levels))] = image
        features: dict[str, Tensor] = self.fpn(levels)
        return features


class BoxDetector(RetinaNetDetector):
    """MONAI's detector with its ATSS matcher (Zhang et al., 2020) and hard negatives, set up as for LUNA16."""

    training: bool

    def __init__(self, network: RetinaNet, anchors: AnchorGeneratorWithAnchorShape) -> None:
        super().__init__(network, anchors)
        self.set_atss_matcher(num_candidates=ATSS_CANDIDATES, center_in_gt=False)
        self.set_hard_negative_sampler(
            SAMPLED_ANCHORS, POSITIVE_SHARE, min_neg=LEAST_NEGATIVES, pool_size=NEGATIVE_POOL
        )

    def losses(self, image: Tensor, boxes: list[Tensor]) -> dict[str, Tensor]:
        """Losses of a batch, whether batch statistics are being learned or not.

        Args:
            image: B x 1 x D x H x W in [0, 1].
            boxes: Of each image, n x 6; n may be 0.

        Returns:
            Scalars ``classification`` (cross-entropy) and ``box_regression`` (smooth L1).
        """
        targets = [{"boxes": found, "labels": found.new_zeros(len(found), dtype=torch.long)} for found in boxes]
        before = self.training
        self.training = True  # of this module alone, which then gives losses; the layers keep their mode
        try:
            losses: dict[str, Tensor] = self(image, targets)
        finally:
            self.training = before
        return losses

    def compute_anchor_matched_idxs(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]], num_anchor_locs_per_level: list[int]
    ) -> list[Tensor]:
        """Number of the nodule that each anchor is matched with, -1 for none, for each image."""
        matched = []
        for places, target in zip(anchors, targets, strict=True):
            numbers = torch.full((len(places),), -1, dtype=torch.long, device=places.device)
            if len(target["boxes"]):
                _, numbers = self.proposal_matcher(
                    target["boxes"], places, num_anchor_locs_per_level, self.num_anchors_per_loc
                )
            matched.append(numbers)
        return matched


def build_retinanet(params: RetinaNetParams, spacing_mm: float) -> BoxDetector:
    """An untrained RetinaNet for isotropic voxels of ``spacing_mm``."""
    features = PyramidOfResNet(params)
    n_levels = len(params.returned_layers) + 1
    edges = [[edge / spacing_mm for edge in shape] for shape in params.anchor_edges_mm]
    anchors = AnchorGeneratorWithAnchorShape([2**level for level in range(n_levels)], edges)
    network = RetinaNet(
        spatial_dims=3,
        num_classes=1,
        num_anchors=len(edges),
        feature_extractor=features,
        size_divisible=size_divisible(params),
    )
    return BoxDetector(network, anchors)


def size_divisible(params: RetinaNetParams) -> int:
    """Edges of an image must be multiples of this; MONAI pads where they are not."""
    return int(params.conv1_stride * 2 * 2 ** max(params.returned_layers))
