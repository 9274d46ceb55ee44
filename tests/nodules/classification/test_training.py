import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_scan
from medpipe.nodules.classification.inference import KIND, classify_at, load_classifier
from medpipe.nodules.classification.params import ClassifyParams, TargetParams, TrainClassifierParams
from medpipe.nodules.classification.train import train_classifier
from medpipe.nodules.params import CubeNetworkParams, CubeParams
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import TrainerParams

SERIES = {"train": ["scan0", "scan1", "scan2"], "val": ["scan3"], "test": ["scan4", "scan5"]}
CPU = ClassifyParams(accelerator="cpu")
MALIGNANCY = TargetParams(column="malignancy", positive_min=4, negative_max=2)


def params(max_steps: int = 24, **changes) -> TrainClassifierParams:
    settings = {
        "network": CubeNetworkParams(channels=(4, 8), hidden=8),
        "cubes": CubeParams(edge=12, batch_size=8, jitter_voxels=1),
        "trainer": TrainerParams(
            max_steps=max_steps, accelerator="cpu", log_every_n_steps=1, checkpoint_every_n_steps=3, deterministic=True
        ),
        "classification": CPU,
        "validate_every_n_steps": 8,
        "val_batches": 1,
    }
    return TrainClassifierParams(**{**settings, **changes})


@pytest.fixture(scope="module")
def trained(balls, tmp_path_factory) -> tuple[Checkpoint, pd.DataFrame]:
    return train_classifier(*balls, SERIES, params(40), tmp_path_factory.mktemp("training"))


def test_texture_is_told_apart_on_scans_never_seen(trained, balls):
    store, nodules = balls
    test = nodules[nodules["series_uid"].isin(SERIES["test"])]
    classified = classify_at(store, test, trained[0], CPU)
    assert roc_auc_score(classified["texture"] == "solid", classified["class_probability"]) > 0.95
    pd.testing.assert_frame_equal(classified.drop(columns="class_probability"), test)


def test_the_checkpoint_says_all_that_made_it(trained, balls, tmp_path):
    checkpoint, history = trained
    assert checkpoint.kind == KIND
    assert checkpoint.params["spacing_mm"] == 1.5
    assert checkpoint.params["rule"] == "texture: solid against all others"
    assert 0 < checkpoint.params["operating_threshold"] < 1
    assert checkpoint.params["calibration"]["slope"] > 0
    assert checkpoint.provenance["train_findings"]["n_positive"] == 12
    assert {"train_loss", "val_loss", "val_auc"} <= set(history["name"])
    checkpoint.save(tmp_path / "classifier.safetensors")
    again = Checkpoint.load(tmp_path / "classifier.safetensors", KIND)
    store, nodules = balls
    found = [classify_at(store, nodules, each, CPU) for each in (checkpoint, again)]
    pd.testing.assert_frame_equal(*found)


def test_places_keep_their_order_whatever_the_batches(trained, balls):
    store, nodules = balls
    shuffled = nodules.sample(frac=1, random_state=1)
    small = classify_at(store, shuffled, trained[0], ClassifyParams(accelerator="cpu", batch_size=3))
    whole = classify_at(store, nodules, trained[0], CPU)
    pd.testing.assert_frame_equal(small.sort_index(), whole, rtol=1e-4)


def test_mirror_images_are_averaged(trained, balls):
    store, nodules = balls
    network = load_classifier(trained[0])
    place = nodules.iloc[[0]]
    scan = store.open(place["series_uid"].item())
    centre = scan.geometry.to_voxel(place[["x_mm", "y_mm", "z_mm"]].to_numpy())[0]
    cube = torch.from_numpy(scan.patch([round(float(c) - 5.5) for c in centre], (12, 12, 12)).copy()) / 255
    with torch.inference_mode():
        logits = [
            network(cube.flip([axis for axis in range(3) if number >> axis & 1])[None, None])[0, 0].item()
            for number in range(8)
        ]
    calibration = trained[0].params["calibration"]
    expected = torch.sigmoid(torch.tensor(calibration["slope"] * sum(logits) / 8 + calibration["intercept"])).item()
    assert classify_at(store, place, trained[0], CPU)["class_probability"].item() == pytest.approx(expected, abs=1e-5)


def test_no_place_is_no_row(trained, balls):
    store, nodules = balls
    assert classify_at(store, nodules.iloc[:0], trained[0], CPU)["class_probability"].empty


def test_the_same_seed_gives_the_same_weights(balls, tmp_path):
    first, second = (train_classifier(*balls, SERIES, params(4), tmp_path / str(run))[0] for run in range(2))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_findings_by_a_rating_leave_those_between_out(balls, tmp_path):
    store, nodules = balls
    nodules = nodules.assign(malignancy=nodules["malignancy"].where(nodules.index % 5 > 0, 3.0))
    checkpoint, _ = train_classifier(store, nodules, SERIES, params(2, target=MALIGNANCY), tmp_path)
    counts = checkpoint.provenance["train_findings"]
    assert counts["n_between"] == 5  # of 24
    assert counts["n_positive"] + counts["n_negative"] == 19
    assert checkpoint.params["target"]["column"] == "malignancy"


def test_a_resnet_is_trained_by_configuration(balls, tmp_path):
    wanted = params(2, network=CubeNetworkParams(kind="resnet", resnet_width=4))
    checkpoint, _ = train_classifier(*balls, SERIES, wanted, tmp_path)
    assert classify_at(*balls, checkpoint, CPU)["class_probability"].between(0, 1).all()


def test_without_validation_findings_the_odds_are_those_of_the_training(balls, tmp_path):
    checkpoint, _ = train_classifier(*balls, {"train": SERIES["train"]}, params(2), tmp_path)
    assert checkpoint.params["operating_threshold"] == 0.5
    assert checkpoint.params["calibration"] == {"slope": 1.0, "intercept": 0.0}  # twelve of each class


def test_one_class_only_is_refused_with_the_columns_values(balls, tmp_path):
    store, nodules = balls
    with pytest.raises(InputError, match=r"24 positive and 0 negative.*'texture'.*'solid': 24"):
        train_classifier(store, nodules.assign(texture="solid"), SERIES, params(2), tmp_path)


def test_a_scan_of_another_spacing_is_refused(trained, balls, tmp_path):
    image = balls[0].open("scan0").image[:]
    geometry = Geometry(image.shape, (1.0, 1.0, 1.0))
    write_scan(tmp_path, "fine", image, image > 0, geometry, (-1000.0, 400.0), key="0")
    place = balls[1].iloc[[0]].assign(series_uid="fine")
    with pytest.raises(InputError, match=r"fine.*spacing.*cube_classifier was trained at 1\.5"):
        classify_at(ScanStore(tmp_path), place, trained[0], CPU)


def test_a_checkpoint_of_another_kind_is_refused(balls):
    with pytest.raises(InputError, match="'nodule_detector', expected 'cube_classifier'"):
        classify_at(*balls, Checkpoint("nodule_detector", {}, {}), CPU)
