"""The second stage at work: another network looks at a cube around each of the detector's candidates."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from medpipe.core.errors import InputError
from medpipe.ct.stored_scan import StoredScan
from medpipe.nodules.augment import MIRRORS
from medpipe.nodules.cube_networks import build_cube_network
from medpipe.nodules.cubes import corner
from medpipe.nodules.detection.combination import Combination
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.params import CubeNetworkParams
from medpipe.training.checkpoint import Checkpoint

REDUCER_KIND = "false_positive_reducer"
"""Of the checkpoints that this module uses."""

N_CLASSES = 2
"""False alarm and nodule, in this order."""

BATCH_SIZE = 64
"""Cubes that are looked at together; bounds the memory."""

_UINT8_MAX = 255.0
_VIEWS = 4  # the cube, and mirrored along one axis; all eight mirror images take twice the time and find no more


class SecondLook:
    """A trained false-positive reducer, ready for use.

    Args:
        reducer: Its checkpoint.
        device: Where to compute.

    Raises:
        InputError: If the checkpoint is of another kind.
    """

    def __init__(self, reducer: Checkpoint, device: torch.device) -> None:
        if reducer.kind != REDUCER_KIND:
            raise InputError(
                f"checkpoint kind is {reducer.kind!r}, expected {REDUCER_KIND!r}: give a reducer's checkpoint"
            )
        self._edge = int(reducer.params["edge"])
        self._network = build_cube_network(CubeNetworkParams(**reducer.params["network"]), self._edge, N_CLASSES)
        self._network.load_state_dict(reducer.weights)
        self._network.eval().to(device)
        self._device = device
        self._combination = Combination.from_list(reducer.params["combination"])

    def rescore(self, scan: StoredScan, candidates: pd.DataFrame) -> pd.DataFrame:
        """The candidates of one scan with the combined probability, the most probable first.

        Args:
            scan: Prepared as the training scans were.
            candidates: Columns x_mm, y_mm, z_mm, probability (others are kept).
        """
        second = nodule_probability(self._network, scan, candidates, self._edge, self._device)
        combined = self._combination(candidates["probability"].to_numpy(), second)
        order = np.argsort(-combined, kind="stable")
        return candidates.assign(probability=combined).iloc[order].reset_index(drop=True)


def check_detector(detector: Checkpoint, reducer: Checkpoint) -> None:
    """Refuses a reducer that was made for another detector: weights and threshold would not fit.

    Raises:
        InputError: If it was.
    """
    wanted, given = reducer.params.get("detector"), detector.fingerprint()
    if wanted != given:
        raise InputError(
            f"reducer: it was trained on candidates of the detector {wanted}, the given detector is {given}; "
            "train the reducer again for this detector, or give the detector it belongs to."
        )


@torch.inference_mode()
def nodule_probability(
    network: nn.Module, scan: StoredScan, places: pd.DataFrame, edge: int, device: torch.device
) -> npt.NDArray[np.float64]:
    """Probability of "nodule" at each place, by the mean logit of the cube and its mirror images along each axis.

    Args:
        network: Cubes to two logits, in evaluation mode on ``device``.
        scan: Where the cubes are cut.
        places: Columns x_mm, y_mm, z_mm; n rows.
        edge: Of the cubes in voxels.
        device: Where to compute.

    Returns:
        n probabilities.
    """
    centres = scan.geometry.to_voxel(places[POSITION].to_numpy(np.float64)) if len(places) else np.zeros((0, 3))
    found = [np.zeros(0)]
    for start in range(0, len(centres), BATCH_SIZE):
        batch = centres[start : start + BATCH_SIZE]
        cubes = np.stack([scan.patch(corner(centre, edge), (edge, edge, edge)) for centre in batch])
        image = torch.from_numpy(cubes).to(device)[:, None].float() / _UINT8_MAX
        views = torch.stack([network(image.flip(axes)).float() for axes in MIRRORS[:_VIEWS]])
        found.append(views.mean(dim=0).softmax(dim=1)[:, 1].double().cpu().numpy())
    return np.concatenate(found)
