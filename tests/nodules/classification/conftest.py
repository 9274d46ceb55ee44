from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.ct.geometry import Geometry
from medpipe.ct.store import ScanStore, write_scan

SHAPE = (48, 48, 48)
SPACING_MM = 1.5
HU_WINDOW = (-1000.0, 400.0)
DENSITY_HU = {"solid": 20.0, "ground-glass": -500.0}


@pytest.fixture(scope="session")
def balls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScanStore, pd.DataFrame]:
    """Six scans with four dense and four faint balls each, and a vessel-like bar; ratings follow the density."""
    folder: Path = tmp_path_factory.mktemp("balls")
    generator = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1)
    rows = []
    for number in range(6):
        uid = f"scan{number}"
        geometry = Geometry(SHAPE, (SPACING_MM,) * 3, (-30.0, 12.5, 100.0 * number))
        hu = generator.normal(-850, 40, SHAPE)
        hu[:, 22:25, 22:25] = 30.0
        corners = np.array(np.meshgrid([12, 36], [12, 36], [12, 36])).reshape(3, 8).T
        for index, corner in enumerate(generator.permutation(corners)):
            texture = "solid" if index % 2 else "ground-glass"
            centre = corner + generator.uniform(-3, 3, 3)
            radius_mm = generator.uniform(4, 7)
            inside = np.linalg.norm(grid - centre, axis=-1) * SPACING_MM < radius_mm
            hu[inside] = DENSITY_HU[texture] + generator.normal(0, 40, inside.sum())
            rating = float(generator.choice([4, 4.5, 5] if index % 2 else [1, 1.75, 2]))
            rows.append(
                (f"{uid}-{index + 1:03d}", uid, *geometry.to_world([centre])[0], 2 * radius_mm, texture, rating)
            )
        low, high = HU_WINDOW
        image = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        write_scan(folder, uid, image, np.ones(SHAPE, np.uint8), geometry, HU_WINDOW, key=str(number))
    columns = ["finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "texture", "malignancy"]
    table = pd.DataFrame(rows, columns=columns).assign(kind="nodule")
    return ScanStore(folder), table.astype(dict.fromkeys(("finding_id", "series_uid", "texture", "kind"), "str"))
