"""Patches for training, read from the scan store: places, and batches whose content follows from seed and step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.utils.data import Dataset

from medpipe.core.parallel import parallel
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.balance import draw_weights
from medpipe.nodules.detection.lookalikes import lookalikes
from medpipe.nodules.detection.params import SamplingParams
from medpipe.nodules.detection.targets import IRRELEVANT, NODULE
from medpipe.nodules.evaluation.matching import POSITION, diameters_mm
from medpipe.training.data import SERIES_UIDS
from medpipe.training.processes import share

_CLEARANCE_MM = 5.0  # a hard negative keeps this distance from the rim of every finding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScanPlaces:
    """Findings of a scan and places without any, in voxel coordinates (z, y, x).

    Attributes:
        series_uid: The scan.
        centres: n x 3.
        diameters_mm: n.
        kinds: n, `NODULE` or `IRRELEVANT`.
        weights: n, how often each is drawn, relative to the others (`medpipe.nodules.detection.balance`).
        hard: m x 3 voxels of places in the lungs that look like a nodule and are no finding.
        lung: m x 3 voxels anywhere in the lung mask.
    """

    series_uid: str
    centres: FloatArray
    diameters_mm: FloatArray
    kinds: IntArray
    weights: FloatArray
    hard: IntArray
    lung: IntArray


def scan_places(
    store: ScanStore, findings: pd.DataFrame, series_uids: Sequence[str], params: SamplingParams, seed: int, n_jobs: int
) -> list[ScanPlaces]:
    """Looks through scans, one at a time in each job, for places to draw patches from."""
    here = findings[findings["series_uid"].isin(series_uids)]
    here = here.assign(weight=draw_weights(here, params.balance))
    by_scan = dict(iter(here.groupby("series_uid", sort=False)))
    none = here.iloc[:0]
    items = [(uid, by_scan.get(uid, none), (seed, number)) for number, uid in enumerate(series_uids)]
    find = partial(_places_of_scan, store, params.points_per_scan)
    return list(parallel(find, items, n_jobs=n_jobs, description="Places to learn from"))


def _places_of_scan(store: ScanStore, n_points: int, item: tuple[str, pd.DataFrame, tuple[int, int]]) -> ScanPlaces:
    series_uid, findings, seed = item
    generator = np.random.default_rng(seed)
    scan = store.open(series_uid)
    centres = scan.geometry.to_voxel(findings[POSITION].to_numpy(np.float64))
    diameters = diameters_mm(findings)
    kinds = np.where(findings["kind"] == "nodule", NODULE, IRRELEVANT).astype(np.int64)
    hard = _away(lookalikes(scan), centres, diameters, np.asarray(scan.geometry.spacing_zyx_mm))[:n_points]
    inside = np.flatnonzero(np.asarray(scan.lung[:]))
    chosen = generator.choice(inside, size=min(n_points, len(inside)), replace=False)
    lung = np.stack(np.unravel_index(chosen, scan.shape), axis=1)
    weights = findings["weight"].to_numpy(np.float64)
    return ScanPlaces(series_uid, centres, diameters, kinds, weights, hard, lung)


def _away(points: IntArray, centres: FloatArray, diameters: FloatArray, spacing_mm: FloatArray) -> IntArray:
    """Those of ``points`` that keep a distance from every finding."""
    distance = np.linalg.norm((points[:, None] - centres[None]) * spacing_mm, axis=2)
    return points[(distance > diameters / 2 + _CLEARANCE_MM).all(axis=1)]


class PatchBatches(Dataset[dict[str, Any]]):
    """Batches of patches; batch number ``step`` is always the same one, and each process reads its part.

    An item has ``image`` (uint8, B x E x E x E), ``centres`` (float32, B x K x 3, voxels in the patch),
    ``diameters_mm`` and ``kinds`` (B x K; kind 0 pads), ``step``, and ``series_uids`` of the scans they are from.
    """

    def __init__(self, store: ScanStore, places: Sequence[ScanPlaces], params: SamplingParams, seed: int) -> None:
        self._store = store
        self._places = list(places)
        self._params = params
        self._seed = seed
        owners = [np.flatnonzero(scan.kinds == NODULE) for scan in self._places]
        self._nodules = [(number, int(index)) for number, found in enumerate(owners) for index in found]
        self._shares = np.cumsum([self._places[number].weights[index] for number, index in self._nodules])
        self._negatives = {
            kind: [number for number, scan in enumerate(self._places) if len(getattr(scan, kind))]
            for kind in ("hard", "lung")
        }

    @property
    def n_nodules(self) -> int:
        """Nodules that patches are drawn around."""
        return len(self._nodules)

    def __getitem__(self, step: int) -> dict[str, Any]:
        generator = np.random.default_rng((self._seed, step, 0))
        total, own = share(self._params.batch_size)
        patches = [self._patch(*drawn) for drawn in [self._draw(generator) for _ in range(total)][own]]
        most = max(1, *(len(patch["kinds"]) for patch in patches))
        batch: dict[str, Any] = {
            name: torch.from_numpy(np.stack([_pad(patch[name], most) for patch in patches]))
            for name in ("centres", "diameters_mm", "kinds")
        }
        batch["image"] = torch.from_numpy(np.stack([patch["image"] for patch in patches]))
        batch["step"] = torch.tensor(step)
        batch[SERIES_UIDS] = [patch["series_uid"] for patch in patches]
        return batch

    def _patch(self, number: int, start: IntArray) -> dict[str, Any]:
        scan = self._places[number]
        edge = self._params.patch_edge
        inside = scan.centres - start
        reach = scan.diameters_mm[:, None]  # a diameter away, nothing of the finding or its peak is left in the patch
        near = ((inside > -reach) & (inside < edge + reach)).all(axis=1)
        return {
            "image": self._store.open(scan.series_uid).patch(start.tolist(), (edge, edge, edge)),
            "centres": inside[near].astype(np.float32),
            "diameters_mm": scan.diameters_mm[near].astype(np.float32),
            "kinds": scan.kinds[near],
            "series_uid": scan.series_uid,
        }

    def _draw(self, generator: np.random.Generator) -> tuple[int, IntArray]:
        """Number of a scan and the first voxel of a patch of it."""
        number, centre = self._draw_place(generator)
        edge = self._params.patch_edge
        room = edge / 2 - self._params.border_voxels
        return number, np.rint(centre + generator.uniform(-room, room, size=3) - edge / 2).astype(np.int64)

    def _draw_place(self, generator: np.random.Generator) -> tuple[int, FloatArray]:
        """Number of a scan and a place in it."""
        draw = generator.random()
        if draw < self._params.lesion_share and self._nodules:
            chosen = np.searchsorted(self._shares, generator.random() * self._shares[-1], side="right")
            number, index = self._nodules[min(int(chosen), len(self._nodules) - 1)]  # rounding may reach the very end
            return number, self._places[number].centres[index]
        kind = "hard" if draw < self._params.lesion_share + self._params.hard_share else "lung"
        kind = kind if self._negatives[kind] else "lung"
        number = self._negatives[kind][generator.integers(len(self._negatives[kind]))]
        points = getattr(self._places[number], kind)
        return number, points[generator.integers(len(points))].astype(np.float64)


def _pad(values: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    return np.pad(values, [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1))
