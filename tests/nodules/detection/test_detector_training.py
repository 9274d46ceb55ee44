import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.inference import KIND, detect
from medpipe.nodules.detection.module import DetectorModule
from medpipe.nodules.detection.params import DetectorParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.train import train_detector
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import TrainerParams

SERIES = {"train": ["scan0", "scan1", "scan2"], "val": ["scan3", "scan4"], "test": []}


def params(max_steps: int, batch_size: int = 3, **trainer) -> TrainDetectorParams:
    settings = {"accelerator": "cpu", "log_every_n_steps": 1, "checkpoint_every_n_steps": 3, "deterministic": True}
    return TrainDetectorParams(
        detector=DetectorParams(channels=(8, 8)),
        trainer=TrainerParams(max_steps=max_steps, **{**settings, **trainer}),
        sampling=SamplingParams(patch_edge=16, batch_size=batch_size, border_voxels=3),
        validate_every_n_steps=4,
        val_batches=1,
    )


@pytest.fixture(scope="module")
def trained(blobs, tmp_path_factory) -> tuple[Checkpoint, pd.DataFrame]:
    return train_detector(*blobs, SERIES, params(32), tmp_path_factory.mktemp("training"))


def same_weights(first: Checkpoint, second: Checkpoint) -> bool:
    return all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_training_lowers_the_loss(trained: tuple[Checkpoint, pd.DataFrame]):
    loss = trained[1].query("name == 'train_loss'")["value"]
    assert loss.iloc[-8:].mean() < 0.6 * loss.iloc[:5].mean()


def test_the_history_holds_the_validation(trained: tuple[Checkpoint, pd.DataFrame]):
    history = trained[1]
    assert (history["name"] == "val_loss").sum() == 8
    assert {"val_cpm", "val_operating_threshold", "val_probability_at_centres"} <= set(history["name"])


def test_the_checkpoint_says_all_that_made_it(trained: tuple[Checkpoint, pd.DataFrame], blobs, tmp_path):
    checkpoint = trained[0]
    assert checkpoint.kind == KIND
    assert checkpoint.params["spacing_mm"] == 1.5
    assert checkpoint.params["hu_window"] == [-1000.0, 400.0]
    assert 0 < checkpoint.params["operating_threshold"] < 1
    assert checkpoint.provenance["store"] == blobs[0].fingerprint()
    assert checkpoint.provenance["params"]["trainer"]["max_steps"] == 32
    checkpoint.save(tmp_path / "detector.safetensors")
    again = Checkpoint.load(tmp_path / "detector.safetensors", KIND)
    found = [detect(blobs[0], ["scan3"], each, params(1).detection) for each in (checkpoint, again)]
    pd.testing.assert_frame_equal(*found)


def test_the_same_seed_gives_the_same_weights(blobs, tmp_path):
    first, second, other = (
        train_detector(*blobs, SERIES, params(4, seed=seed), tmp_path / name)[0]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_two_processes_train_to_the_loss_of_one_with_the_same_global_batch(blobs, tmp_path):
    """With batch statistics, as by default. A bias before these learns rounding errors, which the validation shows."""
    (_, alone), (_, together) = (
        train_detector(*blobs, SERIES, params(6, size, devices=n), tmp_path / str(n)) for n, size in ((1, 4), (2, 2))
    )
    for stage, n_points, tolerance in (("train_", 24, 1e-4), ("val_", 9, 1e-2)):
        one, two = (h[h["name"].str.startswith(stage)].reset_index(drop=True) for h in (alone, together))
        assert len(one) == n_points
        pd.testing.assert_frame_equal(two, one, rtol=tolerance)


@pytest.fixture(scope="module")
def uninterrupted(blobs, tmp_path_factory) -> tuple[Checkpoint, pd.DataFrame]:
    return train_detector(*blobs, SERIES, params(11), tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("killed_at", [2, 5, 10])
def test_a_killed_training_goes_on_to_the_same_weights(blobs, tmp_path, monkeypatch, uninterrupted, killed_at: int):
    """Killed before the first checkpoint, in the first epoch, and in a later one."""
    whole, whole_history = uninterrupted
    step = DetectorModule.training_step

    def die(self, batch, index):
        if self.global_step == killed_at:
            raise KeyError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(DetectorModule, "training_step", die)
    with pytest.raises(KeyError):
        train_detector(*blobs, SERIES, params(11), tmp_path / "killed")
    monkeypatch.undo()
    resumed, history = train_detector(*blobs, SERIES, params(11), tmp_path / "killed")
    assert same_weights(whole, resumed)
    names = ["train_loss", "val_cpm"]
    pd.testing.assert_frame_equal(*(h[h["name"].isin(names)].reset_index(drop=True) for h in (whole_history, history)))


def test_scans_without_nodules_cannot_train(blobs, tmp_path):
    with pytest.raises(InputError, match="no nodule"):
        train_detector(*blobs, {"train": ["scan4"]}, params(2), tmp_path)


def test_scans_that_are_not_stored_cannot_train(blobs, tmp_path):
    with pytest.raises(InputError, match="none of the training scans"):
        train_detector(*blobs, {"train": ["nobody"]}, params(2), tmp_path)


def test_without_validation_nodules_the_threshold_is_the_default(blobs: tuple[ScanStore, pd.DataFrame], tmp_path):
    checkpoint, history = train_detector(*blobs, {"train": ["scan0"], "val": ["scan4"]}, params(2), tmp_path)
    assert checkpoint.params["operating_threshold"] == 0.5
    assert "val_cpm" not in set(history["name"])
