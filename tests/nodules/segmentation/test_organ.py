"""An organ by configuration alone: lungs from label maps beside the scans, through intake and preprocessing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from medpipe.ct.geometry import Geometry
from medpipe.ct.ingest import ingest
from medpipe.ct.lungs import find_lungs
from medpipe.ct.params import GateParams, IngestCTParams, LungParams, PreprocessParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.phantom.plan import plan_cohort
from medpipe.ct.phantom.scan import make_scan
from medpipe.ct.preprocess import preprocess
from medpipe.ct.resample import to_canonical
from medpipe.ct.volume import Volume
from medpipe.nodules.segmentation.params import EvaluateSegmentationParams, SegmentParams, TrainSegmenterParams
from medpipe.nodules.segmentation.train import train_segmenter
from medpipe.pipelines.imaging.nodes import segmentation as nodes

PHANTOMS = PhantomParams(
    seed=5,
    n_patients=5,
    second_scan_fraction=0.0,
    dicom_fraction=0.0,
    reoriented_fraction=0.0,
    chest_scale=(0.45, 0.5),
    matrix=(64, 72),
    pixel_spacing_mm=(1.8, 2.6),
    slice_spacing_mm=(3.0, 3.0),
    nodule_diameter_mm=(7.0, 18.0),
)
LUNGS = TrainSegmenterParams.model_validate(
    {
        "target": {"labels": ["value 7"]},
        "segmenter": {"channels": [8, 16, 32], "norm": "instance"},  # two patches are few for batch statistics
        "sampling": {"kind": "patches", "patch_edge": 32, "batch_size": 2, "foreground_share": 0.7, "jitter_voxels": 8},
        "trainer": {"max_steps": 120, "accelerator": "cpu", "devices": 1},
        "optimizer": {"learning_rate": 2e-3},
    }
)
USE = SegmentParams(tile_edge=48, halo=8, largest_components=2, mirror_average=False, accelerator="cpu")


def write_nifti(file: Path, array: np.ndarray, geometry: Geometry) -> None:
    sitk.WriteImage(geometry.apply_to_sitk(sitk.GetImageFromArray(array)), str(file))


def lungs_of(volume: Volume) -> np.ndarray:
    """Both lungs without any margin on the scan's own grid, 7 inside."""
    lungs = find_lungs(volume, LungParams(margin_mm=0.0, min_volume_ml=10.0))
    places = volume.geometry.to_world(np.argwhere(np.ones(volume.array.shape, dtype=bool)))
    index = np.rint(lungs.geometry.to_voxel(places)).astype(int)
    inside = ((index >= 0) & (index < lungs.closed.shape)).all(axis=1)
    values = np.zeros(len(index), dtype=np.uint8)
    values[inside] = 7 * (lungs.closed[tuple(index[inside].T)] > 0)
    return values.reshape(volume.array.shape)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five small chests as NIfTI, each with the label map of its lungs."""
    folder = tmp_path_factory.mktemp("raw")
    for number, plan in enumerate(plan_cohort(PHANTOMS)):
        volume = to_canonical(make_scan(PHANTOMS, plan).volume)
        write_nifti(folder / f"case{number}.nii.gz", volume.array, volume.geometry)
        write_nifti(folder / f"case{number}_seg.nii.gz", lungs_of(volume), volume.geometry)
    return folder


def test_lungs_are_learned_from_label_maps_and_outlined_in_unseen_scans(raw: Path, tmp_path: Path):
    gate = GateParams(max_slice_spacing_mm=5.0, min_extent_mm=50.0)
    intake = ingest(
        raw, IngestCTParams(gate=gate, pseudonyms="never", n_jobs=1), tmp_path / "masks", tmp_path / "identity"
    )
    assert intake.scans["accepted"].all(), intake.scans["reason"].tolist()
    params = PreprocessParams(spacing_mm=3.0, region="body", n_jobs=1)
    store = preprocess(raw, intake.scans, intake.locations, intake.masks, params, tmp_path / "store")
    uids = store.series_uids
    assert len(uids) == 5
    checkpoint, _ = train_segmenter(store, intake.nodules, {"train": uids[:3]}, LUNGS, tmp_path / "work")
    unseen = uids[3:]
    patients = intake.scans.set_index("series_uid")["patient_id"]
    splits = pd.DataFrame({"patient_id": patients[uids], "split": ["train"] * 3 + ["test"] * 2})
    cohort = (store, intake.scans, intake.nodules, splits)
    segmented, masks = nodes.segment(*cohort, checkpoint, USE, tmp_path / "outlined")
    assert segmented["series_uid"].tolist() == unseen
    params = EvaluateSegmentationParams(n_bootstraps=20)
    metrics, table = nodes.evaluate_segmentation(*cohort, checkpoint, segmented, masks, params)
    assert metrics["scan_n"] == 2
    assert metrics["scan_dice"] > 0.9
    assert not any(name.startswith("roi_") for name in metrics)
    figure = nodes.draw_segmentation(store, checkpoint, segmented, masks, table)
    captions = [part.get_suptitle() for part in figure.subfigs[0].subfigs[:2]]
    assert all(float(caption.removeprefix("Dice ")) > 0.85 for caption in captions)
