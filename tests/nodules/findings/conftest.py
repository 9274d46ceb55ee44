"""A generated chest as a DICOM series, prepared as for a network, with balls in the place of a segmenter's masks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpipe.ct.ingest import ingest
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.params import CTSourceParams, IngestCTParams, PreprocessParams
from medpipe.ct.preprocess import preprocess
from medpipe.ct.sources import provide
from medpipe.ct.store import ScanStore
from medpipe.nodules.findings.algorithm import Algorithm, PositiveClass
from medpipe.nodules.findings.instances import INSTANCE_DTYPES
from medpipe.nodules.findings.models import Models
from medpipe.nodules.segmentation.sizes import mask_sizes
from tests.ct.phantom.conftest import SMALL
from tests.nodules.findings.networks import ball_networks
from tests.nodules.segmentation.conftest import Balls, balls  # noqa: F401 - a fixture

INGEST = IngestCTParams(n_jobs=1, gate={"min_extent_mm": 50.0})
PREPARE = PreprocessParams(spacing_mm=1.5, lungs={"min_volume_ml": 20.0}, n_jobs=1)
ALGORITHM = Algorithm({"nodule_detector": "0" * 32, "segmenter": "1" * 32}, PositiveClass("solid", "texture", 0.5))
N_BALLS = 3


@dataclass(frozen=True)
class Case:
    """Scans of a raw folder with findings."""

    raw: Path
    locations: pd.DataFrame
    store: ScanStore
    instances: pd.DataFrame
    masks: MaskStore


def ball(store: ScanStore, series_uid: str, centre_zyx: np.ndarray, radius_mm: float) -> LesionMask:
    geometry = store.open(series_uid).geometry
    grid = np.stack(np.indices(geometry.shape_zyx), axis=-1)
    distance = np.linalg.norm((grid - centre_zyx) * geometry.spacing_zyx_mm, axis=-1)
    return cropped(distance <= radius_mm)


def make_case(raw: Path, work: Path) -> Case:
    """Takes in and prepares what lies in a folder, and puts balls of 9, 12 and 15 mm into each scan."""
    intake = ingest(raw, INGEST, work / "labels", work / "identity")
    store = preprocess(raw, intake.scans, intake.locations, None, PREPARE, work / "store")
    rows = []
    for uid in store.series_uids:
        geometry = store.open(uid).geometry
        shape, masks = np.asarray(geometry.shape_zyx), {}
        for number in range(1, N_BALLS + 1):
            mask = ball(store, uid, shape * (0.25 * number, 0.3 + 0.1 * number, 0.5) + 0.3, 3.0 + 1.5 * number)
            masks[number] = mask
            centre = geometry.to_world([np.argwhere(mask.voxels).mean(axis=0) + mask.start_zyx])[0]
            sizes = mask_sizes(mask.voxels, geometry)
            rows.append(
                {
                    "finding_id": f"{uid}-{number:03d}", "series_uid": uid,
                    **dict(zip(("x_mm", "y_mm", "z_mm"), centre, strict=True)),
                    "diameter_mm": sizes["mask_diameter_mm"], "probability": 0.9 - 0.1 * number, "alarm": True,
                    "mask_number": number, **sizes, "class_probability": 0.2 * number,
                }
            )  # fmt: skip
        write_masks(work / "masks", uid, geometry, masks)
    instances = pd.DataFrame(rows, columns=list(INSTANCE_DTYPES)).astype(INSTANCE_DTYPES)
    return Case(raw, intake.locations, store, instances, MaskStore(work / "masks"))


@pytest.fixture(scope="session")
def dicom_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One DICOM series."""
    folder = tmp_path_factory.mktemp("dicom_case")
    phantom = SMALL.model_copy(
        update={"n_patients": 1, "dicom_fraction": 1.0, "second_scan_fraction": 0.0, "healthy_fraction": 0.0}
    )
    provide(CTSourceParams(phantom=phantom, n_jobs=1), folder / "raw")
    return make_case(folder / "raw" / "dicom", folder / "work")


@pytest.fixture(scope="session")
def ball_models(balls: Balls, tmp_path_factory: pytest.TempPathFactory) -> Models:  # noqa: F811
    """Networks that know the bright balls."""
    return ball_networks(balls, tmp_path_factory.mktemp("networks"))
