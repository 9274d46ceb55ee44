from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_scan

HU_WINDOW = (-1000.0, 400.0)
SPACING_MM = 1.5


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are faster on one thread, and threads that wait for a busy core spin."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def blob_image(shape: tuple[int, int, int], centres, diameters_mm, seed: int = 0) -> np.ndarray:
    """Noisy lung with smooth bright balls, uint8."""
    generator = np.random.default_rng(seed)
    hu = generator.normal(-850, 25, shape).astype(np.float32)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).astype(np.float32)
    for centre, diameter in zip(centres, diameters_mm, strict=True):
        distance = np.linalg.norm(grid - np.asarray(centre, dtype=np.float32), axis=-1) * SPACING_MM
        hu = np.maximum(hu, -850 + 900 / (1 + np.exp((distance - diameter / 2) * 2)))
    low, high = HU_WINDOW
    return np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def findings_table(rows: list[tuple]) -> pd.DataFrame:
    columns = ["finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "kind"]
    return pd.DataFrame(rows, columns=columns).astype(
        {"finding_id": "str", "series_uid": "str", "kind": "str"} | dict.fromkeys(columns[2:6], "float64")
    )


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScanStore, pd.DataFrame]:
    """Five scans of 64^3 voxels with balls of 8 to 14 mm, the last without any, and the table of the balls."""
    folder: Path = tmp_path_factory.mktemp("blobs")
    generator = np.random.default_rng(3)
    rows = []
    shape = (64, 64, 64)
    for number in range(5):
        geometry = Geometry(shape, (SPACING_MM,) * 3, (10.0 * number, -20.0, 5.0))
        corners = np.array([[16, 16, 16], [16, 46, 46], [46, 16, 46], [46, 46, 16]])[: 3 if number < 4 else 0]
        centres = corners + generator.uniform(-4, 4, corners.shape)
        diameters = generator.uniform(8, 14, len(centres))
        uid = f"scan{number}"
        image = blob_image(shape, centres, diameters, seed=number)
        write_scan(folder, uid, image, np.ones(shape, np.uint8), geometry, HU_WINDOW, key=str(number))
        for index, (world, diameter) in enumerate(zip(geometry.to_world(centres), diameters, strict=True)):
            rows.append((f"{uid}-{index}", uid, *world, diameter, "nodule"))
    return ScanStore(folder), findings_table(rows)
