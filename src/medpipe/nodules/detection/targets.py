"""What the network should say: heat map, offsets and diameters from the findings of a patch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from medpipe.nodules.detection.network import REFERENCE_DIAMETER_MM, STRIDE

NODULE = 1
IRRELEVANT = 2

MIN_SIGMA_CELLS = 0.8
"""Width of the smallest nodules' peak: a neighbour cell still gets almost half."""

SIGMA_PER_RADIUS = 0.5
"""Width of larger nodules' peaks."""

POSITIVE_LEVEL = 0.7
"""Cells that reach this share of a nodule's best cell are positive examples."""


@dataclass(frozen=True)
class Targets:
    """Targets on the network's grid (B x D x H x W cells unless said otherwise).

    Attributes:
        heat: 1 in the cell nearest to each nodule's centre, falling as a Gaussian of its size.
        weight: Of positive cells, summing to 1 a nodule; 0 elsewhere.
        counted: False on irrelevant findings: there the network may say what it likes.
        offset: B x 3 x D x H x W, from the cell's centre to the nodule's centre (z, y, x) in cells.
        log_diameter: Of the nearest nodule, relative to the reference diameter.
    """

    heat: Tensor
    weight: Tensor
    counted: Tensor
    offset: Tensor
    log_diameter: Tensor


def make_targets(centres: Tensor, diameters_mm: Tensor, kinds: Tensor, edge: int, spacing_mm: float) -> Targets:
    """Targets of a batch of cubic patches.

    Args:
        centres: B x K x 3, voxel coordinates (z, y, x) in the patch; they may lie outside it.
        diameters_mm: B x K.
        kinds: B x K: `NODULE`, `IRRELEVANT`, or 0 where there is no finding.
        edge: Edge of the patch in voxels.
        spacing_mm: Size of a voxel.
    """
    cell_mm = STRIDE * spacing_mm
    axis = torch.arange(edge // STRIDE, device=centres.device, dtype=torch.float32)
    position = (centres.float() - (STRIDE - 1) / 2) / STRIDE  # in cells
    delta = position[..., None] - axis  # B x K x 3 x cells
    squared = (
        delta[:, :, 0, :, None, None] ** 2 + delta[:, :, 1, None, :, None] ** 2 + delta[:, :, 2, None, None, :] ** 2
    )
    radius = (diameters_mm.float() / 2 / cell_mm)[:, :, None, None, None]
    is_nodule = (kinds == NODULE)[:, :, None, None, None]
    is_irrelevant = (kinds == IRRELEVANT)[:, :, None, None, None]

    inside = ((position > -0.5) & (position < len(axis) - 0.5)).all(dim=2)[:, :, None, None, None]
    nearest = squared.amin(dim=(2, 3, 4), keepdim=True) * inside  # the peak of a nodule outside lies outside
    sigma = (radius * SIGMA_PER_RADIUS).clamp(min=MIN_SIGMA_CELLS)
    peaks = torch.exp(-(squared - nearest) / (2 * sigma**2)) * is_nodule
    heat, owner = peaks.max(dim=1)

    mine = torch.arange(centres.shape[1], device=centres.device)[None, :, None, None, None] == owner[:, None]
    positive = mine & (peaks >= POSITIVE_LEVEL) & inside
    weight = (positive / positive.sum(dim=(2, 3, 4), keepdim=True).clamp(min=1)).sum(dim=1)
    ignored = (is_irrelevant & (squared < (radius + 1) ** 2)).any(dim=1)

    rows = torch.arange(centres.shape[0], device=centres.device)[:, None, None, None]
    owned = position[rows, owner]  # B x D x H x W x 3
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    log_diameter = torch.log(diameters_mm.float().clamp(min=1.0) / REFERENCE_DIAMETER_MM)[rows, owner]
    return Targets(heat, weight, ~ignored | (weight > 0), (owned - grid).movedim(-1, 1), log_diameter)
