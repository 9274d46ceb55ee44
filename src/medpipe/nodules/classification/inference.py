"""The classifier at work: the class of what lies at given places of stored scans."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from medpipe.core.errors import InputError
from medpipe.ct.store import ScanStore
from medpipe.nodules.augment import MIRRORS
from medpipe.nodules.classification.calibration import Calibration
from medpipe.nodules.classification.params import ClassifyParams
from medpipe.nodules.cube_networks import build_cube_network
from medpipe.nodules.cubes import corner
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.params import CubeNetworkParams
from medpipe.nodules.preparation import check_preparation
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.device import torch_device

KIND = "cube_classifier"
"""Of the checkpoints that this module uses."""

_UINT8_MAX = 255.0


def load_classifier(checkpoint: Checkpoint) -> nn.Module:
    """Rebuilds the network of a checkpoint, ready for inference.

    Raises:
        InputError: If the checkpoint is of another kind.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint kind is {checkpoint.kind!r}, expected {KIND!r}: give a classifier's checkpoint")
    params = checkpoint.params
    network = build_cube_network(CubeNetworkParams(**params["network"]), params["edge"], n_outputs=1)
    network.load_state_dict(checkpoint.weights)
    return network.eval()


def classify_at(store: ScanStore, places: pd.DataFrame, checkpoint: Checkpoint, params: ClassifyParams) -> pd.DataFrame:
    """The probability of the positive class at each place; one batch of cubes is in memory at a time.

    Args:
        store: The scans.
        places: Columns series_uid, x_mm, y_mm, z_mm (world LPS); others are kept.
        checkpoint: Of kind ``cube_classifier``.
        params: Of its use.

    Returns:
        ``places`` with ``class_probability``: calibrated on the validation findings of the training.

    Raises:
        InputError: If the checkpoint is of another kind, or a scan was prepared with another spacing or HU window than
            the training scans.
    """
    logits = logits_at(store, places, checkpoint, params)
    return places.assign(class_probability=Calibration(**checkpoint.params["calibration"]).probability(logits))


@torch.inference_mode()
def logits_at(
    store: ScanStore, places: pd.DataFrame, checkpoint: Checkpoint, params: ClassifyParams
) -> npt.NDArray[np.float64]:
    """The network's logit at each place, before calibration. Arguments as for `classify_at`."""
    device = torch_device(params.accelerator)
    network = load_classifier(checkpoint).to(device)
    found = [np.zeros(0)]
    for cubes in _batches(store, places, checkpoint, params.batch_size):
        image = torch.from_numpy(cubes).to(device).float()[:, None] / _UINT8_MAX
        found.append(_logits(network, image, params.mirror_average).double().cpu().numpy())
    return np.concatenate(found)


def _batches(
    store: ScanStore, places: pd.DataFrame, checkpoint: Checkpoint, batch_size: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Cubes in the order of the places."""
    edge = int(checkpoint.params["edge"])
    uids = places["series_uid"].to_numpy(dtype=object)
    world = places[POSITION].to_numpy(dtype=np.float64)
    for uid in dict.fromkeys(uids):
        check_preparation(uid, store.open(uid), checkpoint)
    for first in range(0, len(places), batch_size):
        rows = slice(first, first + batch_size)
        cubes = []
        for uid, position in zip(uids[rows], world[rows], strict=True):
            scan = store.open(uid)
            cubes.append(scan.patch(corner(scan.geometry.to_voxel(position)[0], edge), (edge, edge, edge)))
        yield np.stack(cubes)


def _logits(network: nn.Module, image: Tensor, mirror_average: bool) -> Tensor:
    if not mirror_average:
        return network(image)[:, 0].float()
    return torch.stack([network(image.flip(axes))[:, 0].float() for axes in MIRRORS]).mean(dim=0)
