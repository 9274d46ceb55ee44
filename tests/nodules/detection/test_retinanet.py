import numpy as np
import pytest
import torch

from medpipe.ct.geometry import Geometry
from medpipe.ct.store import write_scan
from medpipe.nodules.detection.inference import CANDIDATE_DTYPES, detect, load_network, untrained
from medpipe.nodules.detection.params import DetectorParams, DetectParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.retinanet import BoxDetector, build_retinanet
from medpipe.nodules.detection.retinanet_module import RetinaNetModule, boxes_of
from medpipe.nodules.detection.retinanet_params import RetinaNetParams
from medpipe.nodules.detection.retinanet_search import search_boxes
from medpipe.nodules.detection.targets import IRRELEVANT, NODULE
from medpipe.nodules.detection.train import train_detector
from medpipe.nodules.evaluation.froc import froc
from medpipe.nodules.evaluation.matching import match
from medpipe.training.params import OptimizerParams, TrainerParams

CPU = torch.device("cpu")
SERIES = {"train": ["scan0", "scan1", "scan2"], "val": ["scan3", "scan4"]}
SMALL = RetinaNetParams(
    block="basic",
    blocks=(1, 1, 1, 1),
    block_channels=(8, 16, 16, 16),
    returned_layers=(1,),
    pyramid_channels=16,
    anchor_edges_mm=((10.0, 10.0, 10.0),),
)


def params(max_steps: int) -> TrainDetectorParams:
    return TrainDetectorParams(
        detector=DetectorParams(kind="retinanet", retinanet=SMALL),
        trainer=TrainerParams(max_steps=max_steps, accelerator="cpu", log_every_n_steps=1, checkpoint_every_n_steps=2),
        sampling=SamplingParams(patch_edge=16, batch_size=2, border_voxels=3),
        optimizer=OptimizerParams(learning_rate=4e-3),
        detection=DetectParams(max_candidates=10),
        validate_every_n_steps=4,
        val_batches=1,
    )


def test_a_box_is_the_cube_around_a_nodule_inside_the_patch():
    centres = torch.tensor(
        [[[4.0, 8.0, 0.0], [3.0, 3.0, 3.0], [-2.0, 5.0, 5.0]], [[5.0, 5.0, 5.0], [0.0] * 3, [0.0] * 3]]
    )
    kinds = torch.tensor([[NODULE, IRRELEVANT, NODULE], [0, 0, 0]])
    boxes = boxes_of(centres, torch.full((2, 3), 4.0), kinds, 16)
    torch.testing.assert_close(boxes[0], torch.tensor([[2.5, 6.5, 0.0, 6.5, 10.5, 2.5]]))
    assert boxes[1].shape == (0, 6)


def test_the_default_is_the_network_of_the_tutorial():
    """As many weights as ``resnet_fpn_feature_extractor`` of MONAI 1.6.1 gives it with torchvision 0.28.0."""
    detector = build_retinanet(RetinaNetParams(), 1.0)
    assert sum(weight.numel() for weight in detector.parameters()) == 20_902_741
    names = set(detector.network.state_dict())
    assert {"feature_extractor.body.conv1.weight", "feature_extractor.fpn.inner_blocks.0.weight"} <= names
    assert detector.num_anchors_per_loc == 3


def test_losses_leave_the_mode_of_the_layers_alone():
    detector = build_retinanet(SMALL, 1.5).eval()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    found = detector.losses(torch.rand(2, 1, 16, 16, 16), [torch.tensor([[4.0, 4, 4, 11, 11, 11]]), torch.zeros(0, 6)])
    assert all(bool(value > 0) for value in found.values())
    torch.testing.assert_close(dict(detector.state_dict()), before, rtol=0, atol=0)
    assert not detector.training


class PlantedBoxes(BoxDetector):
    """Finds one box, whatever it sees."""

    def __init__(self, corner: list[float], edges: list[float]) -> None:
        built = build_retinanet(SMALL, 1.0)
        super().__init__(built.network, built.anchor_generator)
        first = torch.tensor(corner)
        self._found = [{"boxes": torch.cat([first, first + torch.tensor(edges)])[None], "labels_scores": torch.ones(1)}]

    def forward(self, images, targets=None, use_inferer=False):
        return self._found


@pytest.mark.parametrize(("lung_from", "expected"), [(0, 1), (20, 0)])
def test_a_box_becomes_a_candidate_at_its_middle_in_the_lungs(tmp_path, lung_from: int, expected: int):
    geometry = Geometry((24, 30, 20), (1.5,) * 3, (12.0, -34.5, 56.0))
    lung = np.zeros(geometry.shape_zyx, np.uint8)
    lung[lung_from:] = 1
    scan = write_scan(tmp_path, "scan", lung, lung, geometry, (-1000.0, 400.0), key="k")
    found = search_boxes(PlantedBoxes([8.0, 10.0, 4.0], [4.0, 4.0, 7.0]).eval(), scan, DetectParams(), CPU)
    assert len(found) == expected
    if expected:
        np.testing.assert_allclose(found[["x_mm", "y_mm", "z_mm"]], geometry.to_world([[9.5, 11.5, 7.0]]))
        assert found["diameter_mm"].item() == pytest.approx(7.5)


def test_it_learns_to_find_what_its_control_does_not(blobs, tmp_path):
    store, findings = blobs
    checkpoint, history = train_detector(store, findings, SERIES, params(150), tmp_path)
    loss = history.query("name == 'train_loss'")["value"]
    assert loss.iloc[-20:].mean() < 0.6 * loss.iloc[:10].mean()
    scores = []
    for one in (checkpoint, untrained(checkpoint)):
        candidates = detect(store, ["scan3"], one, params(1).detection)
        assert candidates.dtypes.astype(str).to_dict() == CANDIDATE_DTYPES
        scores.append(froc(match(candidates, findings, ["scan3"])).cpm)
    assert scores[0] > 0.8
    assert scores[1] < 0.5


def test_a_resumed_training_has_the_same_weights(blobs, tmp_path, monkeypatch):
    """Its sampler draws anchors from torch's own random numbers."""
    whole, _ = train_detector(*blobs, SERIES, params(6), tmp_path / "whole")
    step = RetinaNetModule.training_step

    def die(self, batch, index):
        if self.global_step == 5:
            raise KeyError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(RetinaNetModule, "training_step", die)
    with pytest.raises(KeyError):
        train_detector(*blobs, SERIES, params(6), tmp_path / "killed")
    monkeypatch.undo()
    resumed, _ = train_detector(*blobs, SERIES, params(6), tmp_path / "killed")
    torch.testing.assert_close(resumed.weights, whole.weights, rtol=0, atol=0)
    assert isinstance(load_network(resumed), BoxDetector)
