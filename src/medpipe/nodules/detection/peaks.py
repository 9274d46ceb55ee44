"""From heat maps to candidates: local maxima and suppression of neighbours, without loops over voxels or candidates."""

import torch
from torch import Tensor
from torch.nn import functional

from medpipe.nodules.detection.network import REFERENCE_DIAMETER_MM, STRIDE

_LARGEST_LOG_DIAMETER = 2.5  # 97 mm: an untrained network must not overflow the exponential


def find_peaks(output: Tensor, allowed: Tensor, min_probability: float, max_peaks: int) -> Tensor:
    """Local maxima (in 3 x 3 x 3 cells) of the heat map, the most probable first.

    Args:
        output: 5 x D x H x W of the network, its first channel already a probability.
        allowed: D x H x W, true where a peak may lie; a lower neighbour outside suppresses nothing, a higher one does.
        min_probability: Peaks below are dropped.
        max_peaks: Most peaks.

    Returns:
        n x 5: probability, position (z, y, x) in voxels of the network's input, diameter_mm.
    """
    heat = output[0]
    highest = functional.max_pool3d(heat[None, None], 3, stride=1, padding=1)[0, 0]
    is_peak = (heat == highest) & (heat >= min_probability) & allowed
    cells = is_peak.nonzero()
    probability = heat[is_peak]
    probability, best = probability.topk(min(max_peaks, len(probability)))
    cells = cells[best]
    values = output[:, cells[:, 0], cells[:, 1], cells[:, 2]].T
    position = (cells + values[:, 1:4]) * STRIDE + (STRIDE - 1) / 2
    diameter = REFERENCE_DIAMETER_MM * torch.exp(values[:, 4].clamp(-_LARGEST_LOG_DIAMETER, _LARGEST_LOG_DIAMETER))
    return torch.cat([probability[:, None], position, diameter[:, None]], dim=1)


def suppress_neighbours(position_mm: Tensor, diameter_mm: Tensor, min_distance_mm: float) -> Tensor:
    """Greedy non-maximum suppression by distance.

    A candidate is dropped when a kept, better one is closer than ``min_distance_mm`` or than that one's radius.

    Args:
        position_mm: n x 3, the most probable first.
        diameter_mm: n.
        min_distance_mm: See above.

    Returns:
        n, true where the candidate is kept.
    """
    distance = torch.cdist(position_mm.double(), position_mm.double(), compute_mode="donot_use_mm_for_euclid_dist")
    reach = (diameter_mm / 2).clamp(min=min_distance_mm)[:, None]
    rivals = torch.triu(distance < reach, diagonal=1)  # rivals[i, j]: the better i would drop j
    kept = torch.ones(len(position_mm), dtype=torch.bool, device=position_mm.device)
    while True:  # each round settles at least the next candidate; chains of rivals are short
        now = ~(rivals & kept[:, None]).any(dim=0)
        if torch.equal(now, kept):
            return kept
        kept = now
