"""The detector at work: candidates of whole scans."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from medpipe.core.errors import InputError
from medpipe.core.progress import track
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.network import STRIDE, CentreNet
from medpipe.nodules.detection.params import DetectorParams, DetectParams
from medpipe.nodules.detection.peaks import find_peaks, suppress_neighbours
from medpipe.nodules.detection.second_look import SecondLook, check_detector
from medpipe.nodules.preparation import check_preparation
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.device import torch_device
from medpipe.training.seeds import seed_everything

KIND = "nodule_detector"
"""Of the checkpoints that this module uses."""

CANDIDATE_DTYPES = {
    "series_uid": "str",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "diameter_mm": "float64",
    "probability": "float64",
}

_UINT8_MAX = 255.0
_PEAKS_PER_CANDIDATE = 4  # peaks a tile that enter suppression, per candidate that may leave it


class Searchable(Protocol):
    """What a scan must offer to be searched; `medpipe.ct.store.StoredScan` does."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x)."""

    @property
    def geometry(self) -> Geometry:
        """Of the voxels."""

    @property
    def hu_window(self) -> tuple[float, float]:
        """Hounsfield units of the values 0 and 255."""

    def patch(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Image in a box, 0 outside."""

    def lung_patch(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Mask of the places where candidates may lie, 0 outside."""


def load_network(checkpoint: Checkpoint) -> nn.Module:
    """Rebuilds the network of a checkpoint, ready for inference.

    Raises:
        InputError: If the checkpoint is of another kind.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint kind is {checkpoint.kind!r}, expected {KIND!r}: give a detector's checkpoint")
    network = _build(checkpoint)
    network.load_state_dict(checkpoint.weights)
    return network.eval()


def _build(checkpoint: Checkpoint) -> nn.Module:
    params = DetectorParams(**checkpoint.params["detector"])
    if params.kind == "retinanet":
        from medpipe.nodules.detection.retinanet import build_retinanet

        return build_retinanet(params.retinanet, checkpoint.params["spacing_mm"])
    return CentreNet(params)


def untrained(checkpoint: Checkpoint, seed: int = 0) -> Checkpoint:
    """The same network with fresh weights: the control that shows what training brought."""
    seed_everything(seed)
    network = _build(checkpoint)
    return Checkpoint(checkpoint.kind, network.state_dict(), checkpoint.params, {"untrained_seed": seed})


def detect(
    store: ScanStore,
    series_uids: Sequence[str],
    checkpoint: Checkpoint,
    params: DetectParams,
    reducer: Checkpoint | None = None,
) -> pd.DataFrame:
    """Candidates of stored scans, one scan in memory at a time.

    Args:
        store: The scans.
        series_uids: Which ones.
        checkpoint: Of the detector.
        params: Of the search.
        reducer: Of the false-positive reducer that looks at each candidate again; None for one stage.

    Returns:
        Columns series_uid, x_mm, y_mm, z_mm (world LPS), diameter_mm, probability (of both stages together, where
        there is a reducer); the most probable of a scan first.

    Raises:
        InputError: If a scan was prepared with another spacing or HU window than the training scans, or the reducer
            was trained for another detector.
    """
    device = torch_device(params.accelerator)
    network = load_network(checkpoint).to(device)
    second = None
    if reducer is not None:
        check_detector(checkpoint, reducer)
        second = SecondLook(reducer, device)
    find = _way_to_search(checkpoint)
    tables = [empty_candidates()]
    for uid in track(series_uids, "Searching scans for nodules"):
        scan = store.open(uid)
        check_preparation(uid, scan, checkpoint)
        found = find(network, scan, params, device)
        found = found if second is None else second.rescore(scan, found)
        tables.append(found.assign(series_uid=uid))
    table = pd.concat(tables, ignore_index=True)
    return table[list(CANDIDATE_DTYPES)].astype(CANDIDATE_DTYPES)


def _way_to_search(checkpoint: Checkpoint) -> Callable[..., pd.DataFrame]:
    if DetectorParams(**checkpoint.params["detector"]).kind == "retinanet":
        from medpipe.nodules.detection.retinanet_search import search_boxes

        return search_boxes
    return search


def empty_candidates() -> pd.DataFrame:
    """A table of no candidates."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in CANDIDATE_DTYPES.items()})


@torch.inference_mode()
def search(network: CentreNet, scan: Searchable, params: DetectParams, device: torch.device) -> pd.DataFrame:
    """Candidates of one scan.

    Args:
        network: Rebuilt by `load_network`, on ``device``.
        scan: Prepared as the training scans were.
        params: Of the search.
        device: Where to compute.

    Returns:
        Columns x_mm, y_mm, z_mm, diameter_mm, probability; the most probable first.
    """
    found = [
        _search_tile(network, scan, start, shape, params, device)
        for start, shape in tiles(scan.shape, params.tile_edge, network.coarsest_stride)
    ]
    peaks = torch.cat([*found, torch.zeros((0, 5), device=device)])
    peaks = peaks[peaks[:, 0].argsort(descending=True, stable=True)]
    spacing = torch.tensor(scan.geometry.spacing_zyx_mm, dtype=peaks.dtype, device=device)
    peaks = peaks[suppress_neighbours(peaks[:, 1:4] * spacing, peaks[:, 4], params.min_distance_mm)]
    values = peaks[: params.max_candidates].double().cpu().numpy()
    world = scan.geometry.to_world(values[:, 1:4])
    columns = {"x_mm": world[:, 0], "y_mm": world[:, 1], "z_mm": world[:, 2]}
    return pd.DataFrame({**columns, "diameter_mm": values[:, 4], "probability": values[:, 0]})


def tiles(
    shape: tuple[int, int, int], edge: int, multiple: int
) -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Starts and shapes of equal boxes, edges multiples of ``multiple``, that cover a volume without overlap."""
    axes = []
    for size in shape:
        count = -(-size // max(edge, multiple))
        length = -(-size // (count * multiple)) * multiple
        axes.append([(start, length) for start in range(0, size, length)])
    for box in product(*axes):
        (z, depth), (y, height), (x, width) = box
        yield (z, y, x), (depth, height, width)


def _search_tile(
    network: CentreNet,
    scan: Searchable,
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
    params: DetectParams,
    device: torch.device,
) -> Tensor:
    """Peaks whose cell lies in the tile and in the lungs, positions in voxels of the scan."""
    lung = torch.from_numpy(scan.lung_patch(start, shape)).to(device)
    allowed = functional.max_pool3d(lung[None, None].float(), STRIDE)[0, 0] > 0
    if not bool(allowed.any()):
        return torch.zeros((0, 5), device=device)
    before, after = _halo(scan.shape, start, shape, params.halo, network.coarsest_stride)
    outer = [first - margin for first, margin in zip(start, before, strict=True)]
    edges = [sum(lengths) for lengths in zip(before, shape, after, strict=True)]
    image = torch.from_numpy(scan.patch(outer, edges)).to(device)
    output = _output(network, image[None, None].float() / _UINT8_MAX, params.flip_average)
    margins = [margin // STRIDE for sides in zip(before, after, strict=True) for margin in sides]
    allowed = functional.pad(allowed, margins[4:] + margins[2:4] + margins[:2])  # torch pads the last axis first
    peaks = find_peaks(output, allowed, params.min_probability, _PEAKS_PER_CANDIDATE * params.max_candidates)
    peaks[:, 1:4] += torch.tensor(outer, dtype=peaks.dtype, device=device)
    return peaks


def _halo(
    volume: Sequence[int], start: Sequence[int], shape: Sequence[int], halo: int, multiple: int
) -> tuple[list[int], list[int]]:
    """Voxels before and after a tile along each axis that the network sees too: up to the faces of the volume."""
    wanted = -(-halo // multiple) * multiple
    ends = [-(-size // multiple) * multiple for size in volume]
    before = [min(wanted, first) for first in start]
    after = [max(0, min(wanted, end - first - length)) for end, first, length in zip(ends, start, shape, strict=True)]
    return before, after


def _output(network: CentreNet, image: Tensor, flip_average: bool) -> Tensor:
    """5 x D x H x W of one tile, heat as a probability."""
    output = network(image)[0].float()
    output[0] = torch.sigmoid(output[0])
    if flip_average:
        mirrored = torch.sigmoid(network(image.flip(-1))[0, 0].float()).flip(-1)
        output[0] = (output[0] + mirrored) / 2
    return output
