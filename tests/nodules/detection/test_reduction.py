import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from medpipe.core.errors import InputError
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.inference import detect
from medpipe.nodules.detection.network import CentreNet
from medpipe.nodules.detection.operating_point import operating_threshold
from medpipe.nodules.detection.params import DetectorParams, DetectParams, TrainReducerParams
from medpipe.nodules.detection.reducer_module import ReducerModule
from medpipe.nodules.detection.reduction import places_of, train_reducer
from medpipe.nodules.detection.second_look import REDUCER_KIND, SecondLook, nodule_probability
from medpipe.nodules.params import CubeNetworkParams, CubeParams
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import OptimizerParams, TrainerParams

CPU = torch.device("cpu")
SERIES = {"train": ["scan0", "scan1", "scan2"], "val": ["scan3", "scan4"], "test": []}
SEARCH = DetectParams(min_probability=0.0, max_candidates=40, accelerator="cpu")


@pytest.fixture(scope="module")
def detector() -> Checkpoint:
    """One that knows nothing: its candidates lie anywhere."""
    torch.manual_seed(0)
    params = DetectorParams(channels=(8, 8))
    rebuild = {"detector": params.model_dump(mode="json"), "spacing_mm": 1.5, "hu_window": [-1000.0, 400.0]}
    return Checkpoint("nodule_detector", CentreNet(params).state_dict(), rebuild | {"operating_threshold": 0.3})


def params(max_steps: int) -> TrainReducerParams:
    settings = {"accelerator": "cpu", "log_every_n_steps": 1, "checkpoint_every_n_steps": 3, "deterministic": True}
    return TrainReducerParams(
        network=CubeNetworkParams(channels=(8, 8), hidden=8, dropout=0.2),
        cubes=CubeParams(edge=12, batch_size=8, jitter_voxels=1),
        trainer=TrainerParams(max_steps=max_steps, **settings),
        optimizer=OptimizerParams(learning_rate=1e-2, ema_decay=0.8),
        detection=SEARCH,
        validate_every_n_steps=10,
        val_batches=1,
    )


@pytest.fixture(scope="module")
def trained(blobs, detector: Checkpoint, tmp_path_factory) -> tuple[Checkpoint, pd.DataFrame]:
    return train_reducer(*blobs, SERIES, detector, params(40), tmp_path_factory.mktemp("reducer"))


def test_it_learns_to_tell_nodules_from_false_alarms(trained: tuple[Checkpoint, pd.DataFrame]):
    accuracy = trained[1].query("name == 'val_accuracy'")["value"]
    assert accuracy.iloc[-1] > 0.9


def test_the_checkpoint_says_all_that_made_it(trained, blobs, detector: Checkpoint, tmp_path):
    reducer, history = trained
    assert reducer.kind == REDUCER_KIND
    assert reducer.params["detector"] == detector.fingerprint()
    assert len(reducer.params["combination"]) == 3
    assert {"val_loss", "val_cpm", "val_operating_threshold"} <= set(history["name"])
    assert operating_threshold(detector, reducer) == reducer.params["operating_threshold"]
    assert operating_threshold(detector) == 0.3
    reducer.save(tmp_path / "reducer.safetensors")
    again = Checkpoint.load(tmp_path / "reducer.safetensors", REDUCER_KIND)
    found = [detect(blobs[0], ["scan3"], detector, SEARCH, reducer=each) for each in (reducer, again)]
    pd.testing.assert_frame_equal(*found)


def test_the_second_look_puts_nodules_first(trained, blobs):
    """Candidates on the balls and between them, all alike to the detector."""
    store, nodules = blobs
    scan = store.open("scan3")
    real = nodules.loc[nodules["series_uid"] == "scan3", ["x_mm", "y_mm", "z_mm"]]
    elsewhere = scan.geometry.to_world(np.array([[16, 46, 16], [32, 32, 32], [46, 46, 46], [8, 8, 46]]))
    places = pd.concat([pd.DataFrame(elsewhere, columns=real.columns), real], ignore_index=True)
    found = SecondLook(trained[0], CPU).rescore(scan, places.assign(probability=0.5, diameter_mm=9.0))
    assert found["probability"].is_monotonic_decreasing
    assert sorted(found["x_mm"].iloc[: len(real)]) == sorted(real["x_mm"])
    assert (found["diameter_mm"] == 9.0).all()


def test_both_stages_find_the_detectors_places(trained, blobs, detector: Checkpoint):
    alone = detect(blobs[0], ["scan3"], detector, SEARCH)
    both = detect(blobs[0], ["scan3"], detector, SEARCH, reducer=trained[0])
    place = ["x_mm", "y_mm", "z_mm", "diameter_mm"]
    pd.testing.assert_frame_equal(*(table[place].sort_values(place, ignore_index=True) for table in (alone, both)))
    assert both["probability"].is_monotonic_decreasing


def test_a_killed_training_goes_on_to_the_same_weights(blobs, detector, tmp_path, monkeypatch):
    whole, _ = train_reducer(*blobs, SERIES, detector, params(9), tmp_path / "whole")
    step = ReducerModule.training_step

    def die(self, batch, index):
        if self.global_step == 7:
            raise KeyError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(ReducerModule, "training_step", die)
    with pytest.raises(KeyError):
        train_reducer(*blobs, SERIES, detector, params(9), tmp_path / "killed")
    monkeypatch.undo()
    resumed, _ = train_reducer(*blobs, SERIES, detector, params(9), tmp_path / "killed")
    assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)
    assert whole.params == resumed.params


def test_false_alarms_near_a_finding_teach_nothing(blobs: tuple[ScanStore, pd.DataFrame]):
    store, nodules = blobs
    one = nodules[nodules["series_uid"] == "scan0"].iloc[:1]
    radius = float(one["diameter_mm"].iloc[0]) / 2
    shifts = [0.0, radius + 2.9, radius + 3.1, radius + 20.0]
    raised = pd.concat([one.assign(x_mm=one["x_mm"] + shift, probability=0.5) for shift in shifts], ignore_index=True)
    for kind, n_positive in (("nodule", 1), ("irrelevant", 0)):
        found = pd.concat([one.assign(kind=kind), nodules[nodules["series_uid"] == "scan1"]])
        places = places_of(store, raised, found, ["scan0", "scan1"], params(1))
        assert places is not None
        assert (places.targets == 0).sum() == 2
        assert (places.targets[np.array(places.series_uids) == "scan0"] == 1).sum() == n_positive
        np.testing.assert_allclose(places.weights.sum(), 1.0)
        np.testing.assert_allclose(places.weights[places.targets == 1].sum(), 0.5)


def test_there_must_be_false_alarms_to_learn_from(blobs, detector: Checkpoint, tmp_path):
    with pytest.raises(InputError, match="no false alarm"):
        train_reducer(*blobs, {"train": ["scan4"]}, detector, params(2), tmp_path)


def test_without_validation_nodules_both_stages_count_alike(blobs, detector: Checkpoint, tmp_path):
    reducer, history = train_reducer(*blobs, {"train": ["scan0"], "val": ["scan4"]}, detector, params(2), tmp_path)
    assert reducer.params["combination"] == [0.0, 0.5, 0.5]
    assert reducer.params["operating_threshold"] == 0.5
    assert "val_cpm" not in set(history["name"])


def test_a_reducer_serves_the_detector_it_was_trained_for(trained, blobs, detector: Checkpoint):
    torch.manual_seed(1)
    weights = CentreNet(DetectorParams(channels=(8, 8))).state_dict()
    other = Checkpoint("nodule_detector", weights, detector.params)
    with pytest.raises(InputError, match="candidates of the detector"):
        detect(blobs[0], ["scan3"], other, SEARCH, reducer=trained[0])


def test_another_kind_of_checkpoint_is_refused(detector: Checkpoint):
    with pytest.raises(InputError, match="false_positive_reducer"):
        SecondLook(detector, CPU)


class FirstHalf(nn.Module):
    """The logit of "nodule" is the mean of the half of the cube with the low x."""

    def forward(self, cubes: torch.Tensor) -> torch.Tensor:
        mean = cubes[..., : cubes.shape[-1] // 2].mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.zeros_like(mean), mean], dim=1)


def test_mirror_images_are_averaged(blobs: tuple[ScanStore, pd.DataFrame]):
    store, nodules = blobs
    scan, places = store.open("scan0"), nodules[nodules["series_uid"] == "scan0"]
    found = nodule_probability(FirstHalf(), scan, places, 8, CPU)
    for centre, probability in zip(scan.geometry.to_voxel(places[["x_mm", "y_mm", "z_mm"]]), found, strict=True):
        start = np.rint(centre - 3.5).astype(int)
        cube = scan.patch(start.tolist(), (8, 8, 8)) / 255.0
        logit = (3 * cube[..., :4].mean() + cube[..., 4:].mean()) / 4  # one of four views is mirrored along x
        assert probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_no_candidate_has_no_second_look(blobs: tuple[ScanStore, pd.DataFrame]):
    none = pd.DataFrame({name: np.zeros(0) for name in ("x_mm", "y_mm", "z_mm")})
    assert len(nodule_probability(FirstHalf(), blobs[0].open("scan0"), none, 8, CPU)) == 0


def test_cubes_must_fit_the_network():
    with pytest.raises(ValueError, match=r"cubes\.edge is 4"):
        TrainReducerParams(cubes=CubeParams(edge=4))
