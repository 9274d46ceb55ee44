import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from medpipe.core.errors import InputError
from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_scan
from medpipe.nodules.detection.inference import check_preparation, detect, load_network, search, tiles, untrained
from medpipe.nodules.detection.network import CentreNet, fold
from medpipe.nodules.detection.params import DetectorParams, DetectParams
from medpipe.training.checkpoint import Checkpoint

CPU = torch.device("cpu")
FLIPPED = ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0))


class BrightCells(nn.Module):
    """Stands for a perfect network: a cell's heat is its brightest voxel, whose place in the cell is the offset."""

    coarsest_stride = 8

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        cells = fold(image)
        brightest, index = cells.max(dim=1)
        corner = torch.stack([index // 4, index // 2 % 2, index % 2], dim=1) / 2 - 0.25
        return torch.cat([(10 * (brightest - 0.8))[:, None], corner, torch.zeros_like(brightest)[:, None]], dim=1)


def planted(tmp_path, geometry: Geometry, centres: np.ndarray, lung: np.ndarray | None = None):
    image = np.zeros(geometry.shape_zyx, np.uint8)
    image[tuple(centres.T)] = 250 - np.arange(len(centres))
    lung = np.ones_like(image) if lung is None else lung
    return write_scan(tmp_path, "scan", image, lung, geometry, (-1000.0, 400.0), key="k")


CENTRES = np.array([[3, 40, 30], [20, 11, 5], [36, 50, 21], [23, 24, 25], [24, 40, 24], [39, 51, 33]])


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (2.5, 0.7, 0.9)])
@pytest.mark.parametrize("direction", [((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), FLIPPED])
@pytest.mark.parametrize("tile_edge", [16, 24, 208])
def test_planted_points_are_found_at_their_world_coordinates(tmp_path, spacing, direction, tile_edge: int):
    geometry = Geometry((40, 52, 34), spacing, (12.0, -34.5, 56.0), direction)
    scan = planted(tmp_path, geometry, CENTRES)
    params = DetectParams(tile_edge=tile_edge, min_probability=0.5, min_distance_mm=1.0)
    found = search(BrightCells(), scan, params, CPU)
    assert len(found) == len(CENTRES)
    assert found["probability"].is_monotonic_decreasing
    np.testing.assert_allclose(found[["x_mm", "y_mm", "z_mm"]], geometry.to_world(CENTRES), atol=1e-4)


def test_candidates_lie_in_the_lungs(tmp_path):
    lung = np.zeros((40, 52, 34), np.uint8)
    lung[16:28] = 1
    scan = planted(tmp_path, Geometry((40, 52, 34), (1.5,) * 3), CENTRES, lung)
    found = search(BrightCells(), scan, DetectParams(min_probability=0.5), CPU)
    assert sorted(scan.geometry.to_voxel(found[["x_mm", "y_mm", "z_mm"]])[:, 0].round()) == [20, 23, 24]


def test_a_scan_without_lungs_has_no_candidates(tmp_path):
    scan = planted(tmp_path, Geometry((40, 52, 34), (1.5,) * 3), CENTRES, np.zeros((40, 52, 34), np.uint8))
    assert len(search(BrightCells(), scan, DetectParams(), CPU)) == 0


@pytest.mark.parametrize(
    ("shape", "edge"), [((40, 52, 34), 16), ((8, 8, 8), 208), ((201, 96, 7), 96), ((5, 300, 96), 100)]
)
def test_tiles_cover_the_volume_once(shape, edge):
    covered = np.zeros(shape, int)
    for start, length in tiles(shape, edge, 8):
        assert all(n % 8 == 0 for n in length)
        covered[tuple(slice(s, s + n) for s, n in zip(start, length, strict=True))] += 1
    assert (covered == 1).all()


def test_the_real_network_scores_a_place_alike_in_any_tile(tmp_path):
    """With batch statistics and a halo, tiling hardly changes the heat map."""
    generator = np.random.default_rng(0)
    geometry = Geometry((64, 48, 48), (1.5,) * 3)
    image = generator.integers(0, 255, geometry.shape_zyx, dtype=np.uint8)
    scan = write_scan(tmp_path, "scan", image, np.ones_like(image), geometry, (-1000.0, 400.0), key="k")
    torch.manual_seed(0)
    network = CentreNet(DetectorParams(channels=(8, 8))).eval()
    whole, tiled = (
        search(network, scan, DetectParams(tile_edge=edge, halo=16, min_probability=0.0), CPU) for edge in (208, 32)
    )
    near = np.linalg.norm(
        whole[["x_mm", "y_mm", "z_mm"]].to_numpy()[:, None] - tiled[["x_mm", "y_mm", "z_mm"]].to_numpy(), axis=2
    )
    assert (near.min(axis=1) < 0.1).mean() > 0.9


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    params = DetectorParams(channels=(8, 8))
    rebuild = {"detector": params.model_dump(mode="json"), "spacing_mm": 1.5, "hu_window": [-1000.0, 400.0]}
    return Checkpoint("nodule_detector", CentreNet(params).state_dict(), rebuild)


def test_detect_gives_one_table_of_all_scans(blobs: tuple[ScanStore, pd.DataFrame], checkpoint: Checkpoint):
    params = DetectParams(min_probability=0.0, max_candidates=7)
    table = detect(blobs[0], ["scan1", "scan0"], checkpoint, params)
    assert table["series_uid"].tolist() == ["scan1"] * 7 + ["scan0"] * 7
    assert table.dtypes.astype(str).to_dict() == {
        "series_uid": "str", "x_mm": "float64", "y_mm": "float64", "z_mm": "float64", "diameter_mm": "float64",
        "probability": "float64",
    }  # fmt: skip


def test_no_scan_gives_an_empty_table_of_the_same_form(blobs: tuple[ScanStore, pd.DataFrame], checkpoint: Checkpoint):
    empty = detect(blobs[0], [], checkpoint, DetectParams())
    assert empty.dtypes.equals(detect(blobs[0], ["scan0"], checkpoint, DetectParams(min_probability=0.0)).dtypes)


def test_flip_averaging_gives_mirror_images_the_same_score(tmp_path, checkpoint: Checkpoint):
    geometry = Geometry((32, 32, 32), (1.5,) * 3)
    image = np.random.default_rng(0).integers(0, 255, geometry.shape_zyx, dtype=np.uint8)
    scores = []
    for name, array in (("left", image), ("right", image[:, :, ::-1])):
        scan = write_scan(tmp_path, name, array, np.ones_like(array), geometry, (-1000.0, 400.0), key="k")
        found = search(load_network(checkpoint), scan, DetectParams(flip_average=True, min_probability=0.0), CPU)
        scores.append(found["probability"].max())
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_the_control_has_the_same_network_and_other_weights(checkpoint: Checkpoint):
    control = untrained(checkpoint, seed=5)
    assert control.params == checkpoint.params
    assert {name: tensor.shape for name, tensor in control.weights.items()} == {
        name: tensor.shape for name, tensor in checkpoint.weights.items()
    }
    assert not torch.equal(control.weights["stem.conv.weight"], checkpoint.weights["stem.conv.weight"])


@pytest.mark.parametrize(
    ("spacing", "window", "field"), [(1.0, (-1000.0, 400.0), "spacing"), (1.5, (-1350.0, 150.0), "hu_window")]
)
def test_a_scan_of_another_preparation_is_refused(tmp_path, checkpoint: Checkpoint, spacing, window, field):
    array = np.zeros((8, 8, 8), np.uint8)
    scan = write_scan(tmp_path, "scan", array, array, Geometry(array.shape, (spacing,) * 3), window, key="k")
    with pytest.raises(InputError, match=field):
        check_preparation("scan", scan, checkpoint)


def test_a_checkpoint_of_another_kind_is_refused():
    with pytest.raises(InputError, match="generator"):
        load_network(Checkpoint("generator", {}, {}))
