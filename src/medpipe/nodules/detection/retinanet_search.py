"""The peer at work: candidates of a scan, in the form that our own detector gives them."""

from typing import TYPE_CHECKING

import pandas as pd
import torch

from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.detection.peaks import suppress_neighbours
from medpipe.nodules.detection.retinanet import NMS_OVERLAP, TOP_BOXES_PER_LEVEL, BoxDetector

if TYPE_CHECKING:
    from medpipe.nodules.detection.inference import Searchable

WINDOW_OVERLAP = 0.25
"""Of neighbouring windows; ``luna16_training.py`` of Project-MONAI/tutorials."""

_UINT8_MAX = 255.0
_BOXES_PER_CANDIDATE = 4  # boxes that are looked for, per candidate that may be left inside the lungs


@torch.inference_mode()
def search_boxes(detector: BoxDetector, scan: "Searchable", params: DetectParams, device: torch.device) -> pd.DataFrame:
    """Candidates of one scan: centres of boxes, with the mean of the edges as diameter.

    Windows, the mean of overlapping ones and the suppression of overlapping boxes are MONAI's; lungs and distance are
    then asked for as of our own detector. ``flip_average`` is not used.

    Args:
        detector: In evaluation mode, on ``device``.
        scan: Prepared as the training scans were.
        params: Of the search.
        device: Where to compute.

    Returns:
        Columns x_mm, y_mm, z_mm, diameter_mm, probability; the most probable first.
    """
    multiple = max(detector.size_divisible)
    edges = [-(-min(edge, params.tile_edge) // multiple) * multiple for edge in scan.shape]
    detector.set_sliding_window_inferer(roi_size=edges, overlap=WINDOW_OVERLAP, sw_device=device, device=device)
    detector.set_box_selector_parameters(
        score_thresh=params.min_probability,
        topk_candidates_per_level=TOP_BOXES_PER_LEVEL,
        nms_thresh=NMS_OVERLAP,
        detections_per_img=_BOXES_PER_CANDIDATE * params.max_candidates,
    )
    image = torch.from_numpy(scan.patch((0, 0, 0), scan.shape)).to(device)
    found = detector([image[None].float() / _UINT8_MAX], use_inferer=True)[0]
    boxes, probability = found["boxes"].float(), found["labels_scores"].float()
    order = probability.argsort(descending=True, stable=True)
    boxes, probability = boxes[order], probability[order]
    centres = (boxes[:, :3] + boxes[:, 3:]) / 2 - 0.5
    spacing = torch.tensor(scan.geometry.spacing_zyx_mm, device=device)
    diameter = ((boxes[:, 3:] - boxes[:, :3]) * spacing).mean(dim=1)

    lung = torch.from_numpy(scan.lung_patch((0, 0, 0), scan.shape)).to(device)
    cells = [axis.clamp(0, size - 1) for axis, size in zip(centres.round().long().T, scan.shape, strict=True)]
    inside = lung[tuple(cells)] > 0
    centres, diameter, probability = centres[inside], diameter[inside], probability[inside]
    kept = suppress_neighbours(centres * spacing, diameter, params.min_distance_mm)
    centres, diameter, probability = (
        values[kept][: params.max_candidates] for values in (centres, diameter, probability)
    )
    world = scan.geometry.to_world(centres.double().cpu().numpy())
    columns = {"x_mm": world[:, 0], "y_mm": world[:, 1], "z_mm": world[:, 2]}
    numbers = {"diameter_mm": diameter.double().cpu().numpy(), "probability": probability.double().cpu().numpy()}
    return pd.DataFrame({**columns, **numbers})
