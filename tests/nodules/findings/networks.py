"""Small networks that find, outline and classify the bright balls of `tests.nodules.segmentation.conftest`."""

from pathlib import Path

import torch

from medpipe.nodules.classification.params import TargetParams, TrainClassifierParams
from medpipe.nodules.classification.train import train_classifier
from medpipe.nodules.detection.network import CentreNet
from medpipe.nodules.detection.params import DetectorParams, DetectParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.train import train_detector
from medpipe.nodules.findings.models import Models
from medpipe.nodules.params import CubeNetworkParams, CubeParams
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import OptimizerParams, TrainerParams
from tests.nodules.conftest import HU_WINDOW, SPACING_MM
from tests.nodules.segmentation.conftest import Balls, bright_checkpoint

N_CANDIDATES = 3
SERIES = {"train": ["scan0", "scan1", "scan2"], "val": ["scan3"]}


def ball_networks(balls: Balls, folder: Path) -> Models:
    """A detector and a classifier of large balls, trained for seconds; a segmenter of what is bright."""
    settings = {"accelerator": "cpu", "log_every_n_steps": 50, "checkpoint_every_n_steps": 1000}
    detector, _ = train_detector(
        balls.store,
        balls.nodules,
        SERIES,
        TrainDetectorParams(
            detector=DetectorParams(channels=(8, 16)),
            sampling=SamplingParams(patch_edge=16, batch_size=8, border_voxels=4),
            trainer=TrainerParams(max_steps=120, **settings),
            optimizer=OptimizerParams(learning_rate=1e-2),
            validate_every_n_steps=1000,
        ),
        folder / "detector",
    )
    classifier, _ = train_classifier(
        balls.store,
        balls.nodules,
        SERIES,
        TrainClassifierParams(
            target=TargetParams(column="diameter_mm", positive_min=11.0, negative_max=10.0),
            network=CubeNetworkParams(channels=(8, 8), hidden=8),
            cubes=CubeParams(edge=12, batch_size=8, jitter_voxels=0),
            trainer=TrainerParams(max_steps=60, **settings),
            validate_every_n_steps=1000,
        ),
        folder / "classifier",
    )
    return Models(detector, None, bright_checkpoint(), classifier)


def ignorant_networks() -> Models:
    """A detector that finds three places anywhere, and a segmenter of what is bright."""
    torch.manual_seed(0)
    params = DetectorParams(channels=(8, 8))
    search = DetectParams(min_probability=0.0, max_candidates=N_CANDIDATES, min_distance_mm=30.0, accelerator="cpu")
    detector = Checkpoint(
        "nodule_detector",
        CentreNet(params).state_dict(),
        {
            "detector": params.model_dump(mode="json"),
            "detection": search.model_dump(mode="json"),
            "operating_threshold": 0.0,
            "spacing_mm": SPACING_MM,
            "hu_window": list(HU_WINDOW),
        },
    )
    return Models(detector, segmenter=bright_checkpoint())
