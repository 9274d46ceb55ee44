import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.lookalikes import lookalikes
from medpipe.nodules.detection.params import DetectorParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.sampling import PatchBatches, scan_places
from medpipe.nodules.detection.targets import NODULE
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.training.data import StepSampler, loader

PARAMS = SamplingParams(patch_edge=24, batch_size=4, border_voxels=4, lesion_share=1.0, hard_share=0.0)


@pytest.fixture(scope="module")
def places(blobs: tuple[ScanStore, pd.DataFrame]):
    store, findings = blobs
    return scan_places(store, findings, store.series_uids, PARAMS, seed=0, n_jobs=1)


def batches(blobs: tuple[ScanStore, pd.DataFrame], places, seed: int = 0, **changes) -> PatchBatches:
    return PatchBatches(blobs[0], places, PARAMS.model_copy(update=changes), seed)


def test_a_batch_follows_from_seed_and_step(blobs, places):
    first, again, other_seed = batches(blobs, places), batches(blobs, places), batches(blobs, places, seed=1)
    seen, seen_again = first[7], again[7]
    assert seen.pop("series_uids") == seen_again.pop("series_uids")
    torch.testing.assert_close(seen, seen_again, rtol=0, atol=0)
    assert not torch.equal(first[7]["image"], first[8]["image"])
    assert not torch.equal(first[7]["image"], other_seed[7]["image"])


def test_the_nodule_is_where_the_batch_says(blobs, places):
    batch = batches(blobs, places)[0]
    for image, centres, kinds in zip(batch["image"], batch["centres"], batch["kinds"], strict=True):
        inside = [
            c for c, kind in zip(centres, kinds, strict=True) if kind == NODULE and (c >= 3).all() and (c < 21).all()
        ]
        assert inside
        for centre in inside:
            assert image[*centre.round().long()] > 150


def test_nodules_lie_anywhere_in_the_patch_but_not_on_its_border(blobs, places):
    batch_list = [batches(blobs, places)[step] for step in range(40)]
    near_middle = [(b["centres"][:, :1] - 12).abs().amin(dim=1) for b in batch_list]
    positions = torch.cat([b["centres"][b["kinds"] == NODULE] for b in batch_list])
    spread = positions[((positions > 3.4) & (positions < 20.6)).all(dim=1)].std(dim=0)
    assert (spread > 3.0).all()  # uniform over 16 voxels has 4.6, centred patches have 0
    assert torch.cat(near_middle).shape[0] == 160


def test_hard_negatives_are_away_from_findings(blobs, places):
    for scan in places:
        assert 0 < len(scan.hard) <= PARAMS.points_per_scan
        distance = np.linalg.norm((scan.hard[:, None] - scan.centres[None]) * 1.5, axis=2)
        assert (distance > scan.diameters_mm / 2).all()


def test_what_looks_most_like_a_nodule_comes_first(blobs):
    store, findings = blobs
    scan = store.open("scan0")
    balls = scan.geometry.to_voxel(findings[findings["series_uid"] == "scan0"][POSITION])
    first = lookalikes(scan)[: len(balls)]
    distance = np.linalg.norm(first[:, None] - balls[None], axis=2)
    assert (distance.min(axis=0) < 3).all()


def test_patches_without_nodules_can_be_asked_for(blobs, places):
    found = batches(blobs, places, lesion_share=0.0, batch_size=16)[0]
    assert found["image"].shape == (16, 24, 24, 24)
    assert found["image"].dtype == torch.uint8


def test_the_sampler_goes_on_from_the_current_step():
    step = 0
    sampler = StepSampler(lambda: step, 10)
    assert list(sampler) == list(range(10))
    step = 13
    assert list(sampler) == list(range(13, 20))
    step = 20
    assert list(sampler) == list(range(20, 30))


def test_worker_processes_give_the_same_batches_in_order(blobs, places):
    made = batches(blobs, places)
    for step, batch in enumerate(loader(made, range(4), 2)):
        wanted = made[step]
        assert batch.pop("series_uids") == wanted.pop("series_uids")
        torch.testing.assert_close(batch, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (SamplingParams, {"lesion_share": 0.8, "hard_share": 0.3}, "at most 1"),
        (SamplingParams, {"patch_edge": 16, "border_voxels": 8}, "border_voxels 8"),
        (SamplingParams, {"patchedge": 16}, "patchedge"),
        (TrainDetectorParams, {"sampling": SamplingParams(patch_edge=36)}, "not a multiple of 8"),
        (TrainDetectorParams, {"detector": DetectorParams(channels=(8,) * 6)}, "not a multiple of 64"),
        (DetectorParams, {"channels": (8,)}, "channels"),
    ],
)
def test_senseless_parameters_are_refused(kind: type, changes: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        kind(**changes)
