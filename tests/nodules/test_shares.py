"""Of what is drawn for the global batch, each process has its part."""

import numpy as np
import pytest
import torch

from medpipe.nodules.augment import augment
from medpipe.nodules.cubes import CubeBatches, Places
from medpipe.nodules.detection.params import SamplingParams
from medpipe.nodules.detection.sampling import PatchBatches, scan_places
from medpipe.nodules.params import AugmentParams, CubeParams


def cubes(store, findings, batch_size: int) -> CubeBatches:
    centres = np.random.default_rng(0).uniform(10, 50, (6, 3))
    uids = ["scan0", "scan1", "scan2"] * 2
    places = Places(uids, centres, np.ones(6, np.float32), np.zeros(6, np.int64), np.ones(6))
    return CubeBatches(store, places, CubeParams(edge=4, batch_size=batch_size, jitter_voxels=2), 0)


def patches(store, findings, batch_size: int) -> PatchBatches:
    params = SamplingParams(patch_edge=16, batch_size=batch_size, border_voxels=3)
    return PatchBatches(store, scan_places(store, findings, store.series_uids, params, seed=0, n_jobs=1), params, 0)


def process(monkeypatch, number: int, of: int) -> None:
    monkeypatch.setenv("RANK", str(number))
    monkeypatch.setenv("WORLD_SIZE", str(of))


@pytest.mark.parametrize("make", [cubes, patches])
def test_the_batches_of_two_processes_are_that_of_one(blobs, monkeypatch, make):
    whole = make(*blobs, batch_size=6)[5]
    parts = []
    for number in range(2):
        process(monkeypatch, number, of=2)
        parts.append(make(*blobs, batch_size=3)[5])
    torch.testing.assert_close(torch.cat([part["image"] for part in parts]), whole["image"], rtol=0, atol=0)
    assert parts[0]["series_uids"] + parts[1]["series_uids"] == whole["series_uids"]


def test_augmentation_changes_each_part_as_it_changes_the_whole(monkeypatch):
    image, centres = torch.rand(6, 8, 8, 8), torch.rand(6, 2, 3) * 7
    whole = augment(image, AugmentParams(), 3, centres=centres)
    parts = []
    for number in range(2):
        process(monkeypatch, number, of=2)
        own = slice(3 * number, 3 * number + 3)
        parts.append(augment(image[own], AugmentParams(), 3, centres=centres[own]))
    for done, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(pieces), done, rtol=0, atol=0)
