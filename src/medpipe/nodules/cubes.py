"""Cubes around given places of stored scans, as batches whose content follows from seed and step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from medpipe.ct.store import ScanStore
from medpipe.nodules.params import CubeParams
from medpipe.training.data import SERIES_UIDS
from medpipe.training.processes import share


@dataclass(frozen=True)
class Places:
    """Places that cubes are cut around; all of length n.

    Attributes:
        series_uids: The scan of each place.
        centres: n x 3, voxel coordinates (z, y, x).
        targets: n, what a network should say there; 0 or 1 for two classes.
        numbers: n, the finding's number in the scan's label array; 0 for none.
        weights: n, how often each is drawn, relative to the others.
    """

    series_uids: Sequence[str]
    centres: npt.NDArray[np.float64]
    targets: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.series_uids)


class CubeBatches(Dataset[dict[str, Any]]):
    """Batches of cubes; batch number ``step`` is always the same one, and each process reads its part.

    An item has ``image`` (uint8, B x E x E x E), ``target`` (float32, B), ``mask`` (bool, as the image: the
    voxels of the place's own finding; only with ``masks``), ``step``, and ``series_uids`` of the scans they are from.

    Args:
        store: The scans.
        places: Where cubes are cut.
        params: Size, number, jitter.
        seed: Of the draws.
        masks: Whether masks are read too.
    """

    def __init__(self, store: ScanStore, places: Places, params: CubeParams, seed: int, *, masks: bool = False) -> None:
        self._store = store
        self._places = places
        self._params = params
        self._seed = seed
        self._masks = masks
        self._shares = np.cumsum(places.weights) / places.weights.sum()

    def __getitem__(self, step: int) -> dict[str, Any]:
        edge = self._params.edge
        images, masks, targets, uids = [], [], [], []
        for index, place in self._draw(step):
            scan = self._store.open(self._places.series_uids[index])
            start = corner(place, edge)
            images.append(scan.patch(start, (edge, edge, edge)))
            targets.append(self._places.targets[index])
            uids.append(self._places.series_uids[index])
            if self._masks:
                masks.append(scan.label_patch(start, (edge, edge, edge)) == self._places.numbers[index])
        batch: dict[str, Any] = {
            "image": torch.from_numpy(np.stack(images)),
            "target": torch.tensor(np.asarray(targets, dtype=np.float32)),
            "step": torch.tensor(step),
            SERIES_UIDS: uids,
        }
        return batch | ({"mask": torch.from_numpy(np.stack(masks))} if self._masks else {})

    def _draw(self, step: int) -> list[tuple[int, npt.NDArray[np.float64]]]:
        """Numbers of places and where, near them, cubes are cut."""
        generator = np.random.default_rng((self._seed, step, 0))
        most = self._params.jitter_voxels
        total, own = share(self._params.batch_size)
        drawn = []
        for _ in range(total):
            index = int(np.searchsorted(self._shares, generator.random(), side="right"))
            drawn.append((index, self._places.centres[index] + generator.uniform(-most, most, size=3)))
        return drawn[own]


def corner(centre_zyx: npt.NDArray[np.float64], edge: int) -> list[int]:
    """First voxel (z, y, x) of the cube around a place: the place lies in its middle, to half a voxel."""
    return [int(value) for value in np.rint(centre_zyx - (edge - 1) / 2)]


def cubes_at(
    store: ScanStore, series_uid: str, centres_zyx: npt.NDArray[np.float64], edge: int
) -> npt.NDArray[np.uint8]:
    """Cubes of one scan: uint8, n x E x E x E.

    Args:
        store: The scans.
        series_uid: Which scan.
        centres_zyx: n x 3 voxel coordinates.
        edge: E, voxels.
    """
    scan = store.open(series_uid)
    shape = (edge, edge, edge)
    cubes = [scan.patch(corner(centre, edge), shape) for centre in np.asarray(centres_zyx, dtype=np.float64)]
    return np.stack(cubes) if cubes else np.zeros((0, *shape), dtype=np.uint8)
