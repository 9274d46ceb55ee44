"""Patches with masks that the segmenter learns from, drawn so that a batch's content follows from seed and step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.utils.data import Dataset

from medpipe.core.progress import track
from medpipe.ct.findings import finding_numbers
from medpipe.ct.store import ScanStore
from medpipe.nodules.cubes import corner
from medpipe.nodules.detection.balance import draw_weights
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.segmentation.params import MaskSamplingParams, MaskTargetParams
from medpipe.training.data import SERIES_UIDS
from medpipe.training.processes import share

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MaskPlaces:
    """Where patches of a scan may lie; places are voxel coordinates (z, y, x).

    Attributes:
        series_uid: The scan.
        numbers: Of the findings that are foreground, in the scan's label array.
        findings: One array a finding, n x 3: patches with foreground are drawn around these.
        weights: One a finding, how often it is drawn, relative to the others (`medpipe.nodules.detection.balance`).
        region: n x 3, places anywhere in the prepared region; none in a scan where the mask of a finding is missing,
            which would be taught as background.
    """

    series_uid: str
    numbers: IntArray
    findings: tuple[FloatArray, ...]
    weights: FloatArray
    region: FloatArray


def targets(nodules: pd.DataFrame, target: MaskTargetParams) -> pd.DataFrame:
    """The rows that are outlined, with ``number``, the finding's value in the label array of its scan."""
    chosen = nodules["kind"].isin(target.kinds)
    if target.labels:
        chosen &= nodules["label"].isin(target.labels)
    rows = nodules[chosen]
    return rows.assign(number=finding_numbers(rows["finding_id"]))


def mask_places(
    store: ScanStore, found: pd.DataFrame, series_uids: Sequence[str], params: MaskSamplingParams, seed: int
) -> list[MaskPlaces]:
    """Looks through scans for places that patches are drawn around.

    Args:
        store: The scans.
        found: Rows of `targets`.
        series_uids: Which scans.
        params: How many places of which kind.
        seed: Of the draws.
    """
    here = found[found["series_uid"].isin(series_uids)]
    here = here.assign(weight=draw_weights(here.assign(kind="nodule"), params.balance))  # all of them are targets
    scans = track(list(enumerate(series_uids)), "Looking through scans for masks")
    return [_places(store, here, uid, params, np.random.default_rng((seed, index))) for index, uid in scans]


def _places(
    store: ScanStore, found: pd.DataFrame, series_uid: str, params: MaskSamplingParams, generator: np.random.Generator
) -> MaskPlaces:
    scan = store.open(series_uid)
    rows = found[found["series_uid"] == series_uid]
    labels = scan.labels
    values = np.zeros(scan.shape, dtype=np.uint16) if labels is None else np.asarray(labels[:])
    masked = rows[np.isin(rows["number"], np.unique(values))]
    numbers = masked["number"].to_numpy(dtype=np.int64)
    complete = len(masked) == len(rows)
    region = _some_of(np.asarray(scan.lung[:]), params.points_per_scan if complete else 0, generator)
    if params.at_place:
        centres = scan.geometry.to_voxel(masked[POSITION].to_numpy(dtype=np.float64))
        findings = tuple(centre[None] for centre in centres)
        away = np.linalg.norm(region[:, None] - centres, axis=2)
        region = region[(away > params.patch_edge / 2).all(axis=1)]  # nearer, there is something to outline
    else:
        findings = tuple(_some_of(values == number, params.points_per_scan, generator) for number in numbers)
    return MaskPlaces(series_uid, numbers, findings, masked["weight"].to_numpy(dtype=np.float64), region)


def _some_of(mask: npt.NDArray[Any], count: int, generator: np.random.Generator) -> FloatArray:
    """Up to ``count`` voxels of a mask, n x 3."""
    inside = np.flatnonzero(mask)
    chosen = generator.choice(inside, size=min(count, len(inside)), replace=False)
    return np.stack(np.unravel_index(chosen, mask.shape), axis=1).astype(np.float64)


class MaskBatches(Dataset[dict[str, Any]]):
    """Batches of patches with masks; batch number ``step`` is always the same one, and each process reads its part.

    An item has ``image`` (uint8, B x E x E x E), ``mask`` (bool, likewise), ``step``, and ``series_uids`` of the scans
    they are from. The mask of ``cubes`` is that of the finding that the cube was drawn around, empty where it was none;
    that of ``patches`` of all findings.
    """

    def __init__(self, store: ScanStore, places: Sequence[MaskPlaces], params: MaskSamplingParams, seed: int) -> None:
        self._store = store
        self._places = list(places)
        self._params = params
        self._seed = seed
        self._findings = [(scan, index) for scan in self._places for index in range(len(scan.findings))]
        self._shares = np.cumsum([scan.weights[index] for scan, index in self._findings])
        self._regions = [scan for scan in self._places if len(scan.region)]

    @property
    def n_findings(self) -> int:
        """Findings with a mask."""
        return len(self._findings)

    def __getitem__(self, step: int) -> dict[str, Any]:
        generator = np.random.default_rng((self._seed, step, 0))
        total, own = share(self._params.batch_size)
        drawn = [self._draw(generator) for _ in range(total)][own]
        images, masks, uids = zip(*(self._patch(*one) for one in drawn), strict=True)
        return {
            "image": torch.from_numpy(np.stack(images)),
            "mask": torch.from_numpy(np.stack(masks)),
            "step": torch.tensor(step),
            SERIES_UIDS: list(uids),
        }

    def _patch(
        self, scan: MaskPlaces, start: list[int], numbers: IntArray
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], str]:
        stored = self._store.open(scan.series_uid)
        shape = (self._params.patch_edge,) * 3
        mask = np.isin(stored.label_patch(start, shape), numbers)
        return stored.patch(start, shape), mask, scan.series_uid

    def _draw(self, generator: np.random.Generator) -> tuple[MaskPlaces, list[int], IntArray]:
        """A scan, the first voxel of a patch of it, and the numbers of the findings that are outlined there."""
        scan, place, numbers = self._draw_place(generator)
        most = self._params.jitter_voxels
        return scan, corner(place + generator.uniform(-most, most, size=3), self._params.patch_edge), numbers

    def _draw_place(self, generator: np.random.Generator) -> tuple[MaskPlaces, FloatArray, IntArray]:
        """A scan, a place in it, and the numbers of the findings that are outlined there."""
        if generator.random() < self._params.foreground_share or not self._regions:
            scan, index = self._findings[
                int(np.searchsorted(self._shares, generator.random() * self._shares[-1], side="right"))
            ]
            places, own = scan.findings[index], scan.numbers[[index]]
        else:
            scan = self._regions[generator.integers(len(self._regions))]
            places, own = scan.region, scan.numbers[:0]
        numbers = own if self._params.at_place else scan.numbers
        return scan, places[generator.integers(len(places))], numbers
