from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_scan
from medpipe.nodules.segmentation.network import KIND, Segmenter
from medpipe.nodules.segmentation.params import SegmenterParams
from medpipe.training.checkpoint import Checkpoint
from tests.nodules.conftest import HU_WINDOW, SPACING_MM, blob_image, findings_table

SHAPE = (40, 48, 48)
CENTRES = np.array([[10, 12, 12], [28, 34, 30], [12, 36, 14]])
BRIGHT = 110
"""Stored value half way from lung to ball, at -400 HU."""
DIAMETERS_MM = np.array([12.0, 9.0, 7.5])


def ball(shape: tuple[int, int, int], centre_zyx, radius_voxels: float) -> np.ndarray:
    grid = np.indices(shape) - np.reshape(centre_zyx, (3, 1, 1, 1))
    return (grid**2).sum(axis=0) <= radius_voxels**2


@dataclass
class Balls:
    """Scans with bright balls, and their masks and findings."""

    store: ScanStore
    nodules: pd.DataFrame

    def scan(self, number: int) -> str:
        return f"scan{number}"

    def of(self, number: int) -> pd.DataFrame:
        return self.nodules[self.nodules["series_uid"] == self.scan(number)]


@pytest.fixture(scope="session")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Balls:
    """Four scans of 40 x 48 x 48 voxels with three balls each and their masks, and one without any."""
    folder: Path = tmp_path_factory.mktemp("balls")
    generator = np.random.default_rng(4)
    rows = []
    for number in range(5):
        uid = f"scan{number}"
        geometry = Geometry(SHAPE, (SPACING_MM,) * 3, (7.0 * number, -30.0, 12.0))
        count = 3 if number < 4 else 0
        centres = CENTRES[:count] + generator.uniform(-3, 3, (count, 3))
        image = blob_image(SHAPE, centres, DIAMETERS_MM[:count], seed=number)
        labels = np.zeros(SHAPE, dtype=np.uint16)
        for index, (centre, diameter) in enumerate(zip(centres, DIAMETERS_MM[:count], strict=True), start=1):
            labels[ball(SHAPE, centre, diameter / 2 / SPACING_MM)] = index
            world = geometry.to_world([centre])[0]
            rows.append((f"{uid}-{index:03d}", uid, *world, diameter, "nodule"))
        lung = np.ones(SHAPE, np.uint8)
        write_scan(folder, uid, image, lung, geometry, HU_WINDOW, key=uid, labels=labels if count else None)
    nodules = findings_table(rows).assign(texture="solid", label="value 1")
    return Balls(ScanStore(folder), nodules)


def bright_checkpoint(*, at_place: bool = False) -> Checkpoint:
    """A network that outlines what is at least `BRIGHT`, whatever else it was given."""
    params = SegmenterParams(channels=(8, 8, 8))
    network = Segmenter(params, at_place=at_place)
    checkpoint_params = {
        "at_place": at_place,
        "segmenter": params.model_dump(mode="json"),
        "spacing_mm": SPACING_MM,
        "hu_window": list(HU_WINDOW),
        "threshold": 0.5,
    }
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        unet = network.unet
        first, second = unet.input_block.conv1.conv, unet.input_block.conv2.conv
        last = unet.upsamples[-1].conv_block
        for convolution, channel in ((first, 0), (second, 0), (last.conv1.conv, 8), (last.conv2.conv, 0)):
            convolution.weight[0, channel, 1, 1, 1] = 1.0  # the value itself, through every full-resolution layer
        for block in (unet.input_block, last):
            for norm in (block.norm1, block.norm2):
                norm.weight.fill_(1.0)
        unet.output_block.conv.conv.weight[0, 0] = 1000.0
        unet.output_block.conv.conv.bias.fill_(-1000.0 * (BRIGHT - 0.5) / 255)
    return Checkpoint(KIND, network.state_dict(), checkpoint_params)
