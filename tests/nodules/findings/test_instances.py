import numpy as np
import pandas as pd
import pytest

from medpipe.core.errors import InputError
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.findings.algorithm import algorithm_of
from medpipe.nodules.findings.instances import INSTANCE_DTYPES, find_instances
from medpipe.nodules.findings.models import ModelFolder, Models, choose_models, write_models
from medpipe.nodules.findings.params import FindParams, ModelFiles
from medpipe.nodules.segmentation.params import SegmentParams
from medpipe.training.checkpoint import Checkpoint
from tests.nodules.segmentation.conftest import Balls

PARAMS = FindParams(segment=SegmentParams(accelerator="cpu"))
UIDS = ["scan3", "scan4"]
POSITION = ["x_mm", "y_mm", "z_mm"]


@pytest.fixture(scope="module")
def found(balls: Balls, ball_models: Models, tmp_path_factory):
    return find_instances(balls.store, UIDS, ball_models, PARAMS, tmp_path_factory.mktemp("masks"))


def test_each_ball_is_found_outlined_and_classified(balls: Balls, found):
    instances, masks = found
    truth = balls.of(3)
    assert instances.dtypes.astype(str).to_dict() == INSTANCE_DTYPES
    geometry, outlined = masks.read("scan3")
    for _, ball in truth.iterrows():
        distance = np.linalg.norm((instances[POSITION] - ball[POSITION].astype(float)).to_numpy(float), axis=1)
        assert distance.min() < 1.0
        row = instances.iloc[int(distance.argmin())]
        assert row["mask_diameter_mm"] == pytest.approx(ball["diameter_mm"], rel=0.25)
        assert (row["class_probability"] > 0.5) == (ball["diameter_mm"] > 10.5)
        mask = outlined[row["mask_number"]]
        assert mask.voxels.sum() * geometry.voxel_mm3 == pytest.approx(row["volume_mm3"])
        centroid = geometry.to_world([np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx])[0]
        np.testing.assert_allclose(centroid, row[POSITION].to_numpy(float), atol=1e-6)


def test_findings_are_numbered_by_probability(found):
    instances, _ = found
    for uid, part in instances.groupby("series_uid"):
        assert part["finding_id"].tolist() == [f"{uid}-{number:03d}" for number in range(1, len(part) + 1)]
        assert part["probability"].is_monotonic_decreasing
        assert set(part["mask_number"]) <= {0, *range(1, len(part) + 1)}


def test_candidates_with_one_mask_are_one_finding(balls: Balls, ball_models: Models, tmp_path):
    """A search that leaves many candidates on one ball."""
    params = PARAMS.model_copy(
        update={"detect": DetectParams(min_distance_mm=0.1, min_probability=0.0, accelerator="cpu"), "threshold": 0.0}
    )
    bare = Models(ball_models.detector)
    candidates, _ = find_instances(balls.store, ["scan3"], bare, params, tmp_path / "bare")
    instances, masks = find_instances(balls.store, ["scan3"], ball_models, params, tmp_path / "masks")
    _, outlined = masks.read("scan3")
    grid = np.zeros(balls.store.open("scan3").shape, int)
    for mask in outlined.values():
        grid[tuple(slice(a, a + n) for a, n in zip(mask.start_zyx, mask.voxels.shape, strict=True))] += mask.voxels
    assert grid.max() == 1
    assert len(outlined) == 3
    assert len(instances) < len(candidates)


def test_without_segmenter_and_classifier_only_places_are_known(balls: Balls, ball_models: Models, tmp_path):
    instances, masks = find_instances(balls.store, UIDS, Models(ball_models.detector), PARAMS, tmp_path)
    assert len(instances) >= 3
    assert (instances["mask_number"] == 0).all()
    assert instances[["volume_mm3", "mask_diameter_mm", "class_probability"]].isna().all(axis=None)
    assert masks.read("scan3") is None


def test_the_threshold_and_the_most_findings_hold(balls: Balls, ball_models: Models, tmp_path):
    params = FindParams(threshold=0.0, max_findings=2)
    instances, _ = find_instances(balls.store, ["scan3"], Models(ball_models.detector), params, tmp_path)
    assert len(instances) == 2
    operating = ball_models.detector.params["operating_threshold"]
    assert (instances["alarm"] == (instances["probability"] >= operating)).all()


def test_no_scan_gives_an_empty_table_of_the_same_form(balls: Balls, ball_models: Models, tmp_path):
    instances, _ = find_instances(balls.store, [], ball_models, PARAMS, tmp_path)
    pd.testing.assert_series_equal(instances.dtypes.astype(str), pd.Series(INSTANCE_DTYPES), check_index_type=False)


def test_networks_are_kept_as_they_are_and_absent_ones_are_left_out(ball_models: Models, tmp_path):
    Checkpoint.absent("false_positive_reducer", "Nothing to learn from.").save(
        tmp_path / "false_positive_reducer.safetensors"
    )
    folder = write_models(ball_models, tmp_path / "kept")
    kept = folder.load()
    assert {role: network.fingerprint() for role, network in kept.present.items()} == {
        role: network.fingerprint() for role, network in ball_models.present.items()
    }
    files = {"detector": folder.file("detector"), "reducer": tmp_path / "false_positive_reducer.safetensors"}
    assert set(choose_models(ModelFolder(tmp_path), ModelFiles(**files)).present) == {"detector"}
    assert set(write_models(Models(ball_models.detector), tmp_path / "kept").load().present) == {"detector"}


def test_models_are_kept_with_their_use(ball_models, tmp_path):
    use = FindParams(threshold=0.3, segment=SegmentParams(roi_edge=16))
    first = write_models(ball_models, tmp_path / "kept", use)
    assert ModelFolder(tmp_path / "kept").use() == use
    before = first.fingerprint()
    assert write_models(ball_models, tmp_path / "kept").use() == FindParams()
    assert first.fingerprint() != before


def test_files_name_the_networks_and_the_class(ball_models: Models):
    algorithm = algorithm_of(ball_models)
    assert set(algorithm.networks) == {"nodule_detector", "segmenter", "cube_classifier"}
    assert algorithm.positive_class is not None
    assert (algorithm.positive_class.name, algorithm.positive_class.column) == ("diameter_mm >= 11", "diameter_mm")


def test_without_a_detector_it_says_what_to_do(ball_models: Models, tmp_path):
    with pytest.raises(InputError, match=r"inference_models\.detector"):
        ModelFolder(tmp_path).load()
    detector = write_models(Models(ball_models.detector), tmp_path / "kept").file("detector")
    with pytest.raises(InputError, match=r"inference_models\.segmenter.*does not exist"):
        choose_models(ModelFolder(tmp_path), ModelFiles(detector=detector, segmenter=tmp_path / "none"))
