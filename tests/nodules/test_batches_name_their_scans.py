import numpy as np
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.nodules.cubes import CubeBatches, Places
from medpipe.nodules.detection.module import DetectorModule
from medpipe.nodules.detection.params import DetectorParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.train import train_detector
from medpipe.nodules.params import CubeParams
from medpipe.training.params import TrainerParams


def test_a_loss_that_is_no_number_names_the_scans_of_the_batch(blobs, tmp_path, monkeypatch):
    params = TrainDetectorParams(
        detector=DetectorParams(channels=(8, 8)),
        trainer=TrainerParams(max_steps=4, accelerator="cpu"),
        sampling=SamplingParams(patch_edge=16, batch_size=3, border_voxels=3),
    )
    step = DetectorModule.training_step
    seen = []

    def poisoned(self, batch, index):
        seen[:] = batch["series_uids"]
        return step(self, batch, index) * (torch.nan if self.global_step == 2 else 1)

    monkeypatch.setattr(DetectorModule, "training_step", poisoned)
    with pytest.raises(InputError, match="training step 2: the loss is nan") as error:
        train_detector(*blobs, {"train": ["scan0", "scan1", "scan2"]}, params, tmp_path)
    assert f"cut from series {', '.join(sorted(set(seen)))}." in str(error.value)


def test_a_cube_and_the_name_of_its_scan_belong_together(blobs):
    store, _ = blobs
    places = Places(
        ["scan0", "scan1"], np.full((2, 3), 30.0), np.zeros(2, np.float32), np.zeros(2, np.int64), np.ones(2)
    )
    batch = CubeBatches(store, places, CubeParams(edge=4, batch_size=6, jitter_voxels=0), 0)[0]
    assert set(batch["series_uids"]) == {"scan0", "scan1"}
    for uid, cube in zip(batch["series_uids"], batch["image"], strict=True):
        np.testing.assert_array_equal(cube, store.open(uid).patch((28, 28, 28), (4, 4, 4)))
