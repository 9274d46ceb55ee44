from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from medpipe.core.errors import InputError
from medpipe.nodules.segmentation.evaluate import evaluate_segmentation
from medpipe.nodules.segmentation.inference import segment_at, segment_scans
from medpipe.nodules.segmentation.module import segmentation_loss
from medpipe.nodules.segmentation.params import (
    EvaluateSegmentationParams,
    MaskSamplingParams,
    MaskTargetParams,
    SegmenterParams,
    SegmentParams,
    TrainSegmenterParams,
)
from medpipe.nodules.segmentation.sampling import MaskBatches, mask_places, targets
from medpipe.nodules.segmentation.threshold import THRESHOLDS, dice_by_threshold
from medpipe.nodules.segmentation.train import train_segmenter
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import TrainerParams
from tests.nodules.segmentation.conftest import Balls, bright_checkpoint

SAMPLING = MaskSamplingParams(patch_edge=16, batch_size=4, points_per_scan=40)
PARAMS = TrainSegmenterParams(
    segmenter=SegmenterParams(channels=(8, 8, 16)),
    sampling=SAMPLING,
    trainer=TrainerParams(max_steps=40, accelerator="cpu", devices=1),
    validate_every_n_steps=20,
    val_batches=1,
)
USE = SegmentParams(roi_edge=16, tile_edge=32, halo=8, mirror_average=False, accelerator="cpu")
EVALUATION = EvaluateSegmentationParams(n_bootstraps=20)


def batches(balls: Balls, sampling: MaskSamplingParams) -> MaskBatches:
    found = targets(balls.nodules, MaskTargetParams())
    places = mask_places(balls.store, found, balls.store.series_uids, sampling, seed=0)
    return MaskBatches(balls.store, places, sampling, seed=0)


def test_a_batch_follows_from_its_number(balls: Balls):
    first, again = batches(balls, SAMPLING), batches(balls, SAMPLING)
    assert all(torch.equal(first[7][name], again[7][name]) for name in ("image", "mask"))
    assert not torch.equal(first[7]["image"], first[8]["image"])


def test_cubes_show_one_finding_off_the_middle_or_none(balls: Balls):
    sampling = SAMPLING.model_copy(update={"patch_edge": 32, "batch_size": 60, "jitter_voxels": 4})
    made = batches(balls, sampling)
    assert made.n_findings == 12
    masks = made[0]["mask"].numpy()
    present = masks.any(axis=(1, 2, 3))
    assert 0.6 < present.mean() < 1.0  # foreground_share is 0.85
    middles = np.array([np.argwhere(mask).mean(axis=0) for mask in masks[present]]) - 15.5
    assert np.abs(middles).max() <= 4 + 1
    assert middles.std(axis=0).min() > 1.5  # uniform in +-4: 2.3
    volumes = sorted({int(mask.sum()) for mask in masks[present]})
    known = {int((balls.store.open(f"scan{n}").labels[:] == k).sum()) for n in range(4) for k in (1, 2, 3)}
    assert set(volumes) <= known  # never two balls at once


def test_patches_show_all_findings(balls: Balls):
    sampling = SAMPLING.model_copy(update={"kind": "patches", "patch_edge": 64, "foreground_share": 1.0})
    wholes = {int((balls.store.open(f"scan{n}").labels[:] > 0).sum()) for n in range(4)}
    masks = batches(balls, sampling)[0]["mask"]
    # 64 voxels hold nearly all of a scan of 48, whatever ball the patch was drawn around.
    assert masks.sum(dim=(1, 2, 3)).max() >= 0.9 * min(wholes)


def test_scans_with_a_finding_that_has_no_mask_give_no_background(balls: Balls):
    nodules = balls.nodules.copy()
    nodules.loc[nodules["finding_id"] == "scan0-001", "finding_id"] = "scan0-009"
    places = mask_places(balls.store, targets(nodules, MaskTargetParams()), ["scan0", "scan1"], SAMPLING, seed=0)
    assert [len(scan.findings) for scan in places] == [2, 3]
    assert len(places[0].region) == 0 < len(places[1].region)


def test_the_loss_is_dice_and_cross_entropy_by_hand():
    mask = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    logits = torch.zeros(2, 4, 4, 4)
    losses = segmentation_loss(logits, mask, dice_weight=2.0)
    # Probability 1/2 everywhere; the patch with 32 of 64 voxels: Dice 2 x 16 / (32 + 32); the other has none.
    assert float(losses["dice_loss"]) == pytest.approx(0.5, abs=1e-4)
    assert float(losses["cross_entropy"]) == pytest.approx(np.log(2))
    assert float(losses["loss"]) == pytest.approx(1.0 + np.log(2), abs=1e-3)
    assert segmentation_loss(logits.bfloat16(), mask, 1.0)["loss"].dtype == torch.float32


@pytest.fixture(scope="module")
def trained(balls: Balls, tmp_path_factory: pytest.TempPathFactory):
    work = tmp_path_factory.mktemp("work")
    return train_segmenter(
        balls.store, balls.nodules, {"train": ["scan0", "scan1", "scan4"], "val": ["scan2"]}, PARAMS, work
    )


def test_balls_of_an_unseen_scan_are_outlined(balls: Balls, trained, tmp_path: Path):
    checkpoint, history = trained
    validation = history[history["name"] == "val_dice_loss"].sort_values("step")["value"].tolist()
    assert validation[-1] < 0.4  # 0.9 and more untrained
    found = segment_at(balls.store, balls.of(3), checkpoint, USE, tmp_path)
    metrics, _ = evaluate_segmentation(balls.store, balls.nodules, ["scan3"], EVALUATION, at_findings=found)
    assert metrics["roi_dice"] > 0.75


def test_a_checkpoint_comes_back_from_its_file(balls: Balls, trained, tmp_path: Path):
    trained[0].save(tmp_path / "segmenter.safetensors")
    loaded = Checkpoint.load(tmp_path / "segmenter.safetensors", kind="segmenter")
    tables = [
        segment_at(balls.store, balls.of(3), checkpoint, USE, tmp_path / name)[0]
        for name, checkpoint in (("a", trained[0]), ("b", loaded))
    ]
    assert tables[0].equals(tables[1])
    assert tables[0]["volume_mm3"].gt(0).all()


def test_whole_scans_are_learned_from_patches(balls: Balls, tmp_path: Path):
    params = PARAMS.model_copy(update={"sampling": SAMPLING.model_copy(update={"kind": "patches"})})
    checkpoint, _ = train_segmenter(balls.store, balls.nodules, {"train": ["scan0", "scan1"]}, params, tmp_path / "w")
    whole = segment_scans(balls.store, ["scan3"], checkpoint, USE, tmp_path / "m")
    metrics, _ = evaluate_segmentation(balls.store, balls.nodules, ["scan3"], EVALUATION, whole=whole)
    assert metrics["scan_dice"] > 0.6


def test_scans_without_masks_cannot_be_learned_from(balls: Balls, tmp_path: Path):
    with pytest.raises(InputError, match="none of the 1 training scans has a mask"):
        train_segmenter(balls.store, balls.nodules, {"train": ["scan4"]}, PARAMS, tmp_path)


def test_a_patch_must_fit_the_network():
    with pytest.raises(ValidationError, match=r"sampling\.patch_edge 20 is not a multiple of 8"):
        TrainSegmenterParams(sampling=MaskSamplingParams(patch_edge=20))


def test_the_threshold_is_that_of_the_best_dice_on_validation_findings(balls: Balls, tmp_path: Path):
    params = PARAMS.model_copy(update={"segmentation": USE})
    checkpoint, history = train_segmenter(
        balls.store, balls.nodules, {"train": ["scan0", "scan1"], "val": ["scan2"]}, params, tmp_path
    )
    last = history.groupby("name")["value"].last()
    found = targets(balls.nodules, MaskTargetParams())
    dice = dice_by_threshold(balls.store, found, ["scan2"], checkpoint, USE)
    assert set(dice) == set(THRESHOLDS)
    assert checkpoint.params["threshold"] == max(dice, key=lambda threshold: dice[threshold])
    assert (last["val_threshold"], last["val_dice"]) == (checkpoint.params["threshold"], max(dice.values()))
    places = balls.nodules[balls.nodules["series_uid"] == "scan2"]
    made = segment_at(balls.store, places, checkpoint, USE, tmp_path / "masks")
    metrics, _ = evaluate_segmentation(balls.store, balls.nodules, ["scan2"], EVALUATION, at_findings=made)
    assert metrics["roi_dice"] == pytest.approx(max(dice.values()), abs=1e-6)
    chosen = USE.model_copy(update={"threshold": 0.95})
    smaller, _ = segment_at(balls.store, places, checkpoint, chosen, tmp_path / "smaller")
    assert smaller["volume_mm3"].sum() <= made[0]["volume_mm3"].sum()


def test_without_validation_findings_the_threshold_is_one_half(balls: Balls):
    nothing = dice_by_threshold(
        balls.store, targets(balls.nodules, MaskTargetParams()), ["scan4"], bright_checkpoint(), USE
    )
    assert nothing == {}
