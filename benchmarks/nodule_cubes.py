"""Segmentation and malignancy of real nodules, by cross-validation over patients.

    python benchmarks/nodule_cubes.py --folder ../shared/data/nodule_cubes_51

The folder holds LIDC nodules as cubes of 51 voxels of 1 mm in HU (``cubes51_int16.npz``: images, masks, names; axes y,
x, -z) with one reader's mask and ratings (``labels.csv``). Each cube becomes a scan of a scan store; the patient is the
number before the first ``_`` of its name. What is measured is what the project's own functions give:

- ``segment``: `train_segmenter` on four fifths of the patients, of which an eighth sets the threshold; `segment_at` on
  the others; ROI Dice over all nodules.
- ``classify``: malignancy <= 2 against >= 4 (one reader's rating; 3 is in neither class). Of the four fifths, each
  quarter in turn sets the calibration of a classifier trained on the other three; for the last fifth the calibrated
  logits of the four are averaged, and a nodule is called malignant from a probability of 0.5 on. AUC over all nodules
  of a class, each judged by classifiers that never saw its patient.

Intervals are from patients drawn with replacement. The folds are stratified by malignancy and the same in both parts.

How the classifier's settings were chosen: a dozen of them (size of voxels and cube, both kinds of network, ratings as
further targets) were compared by the AUC of inner quarters within two sets of four fifths. No fold's test fifth was
looked at, but its patients lie in the other folds' four fifths, as they must: the AUC may flatter by what such a choice
among a dozen can bring. The segmenter's (steps, learning rate, width, normalisation, rotation, zoom) were compared by
the Dice of the 21 nodules of one inner quarter.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from measure import print_table, save
from numpy.typing import NDArray
from scipy.special import expit, logit

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import cropped, finding_of_mask
from medpipe.ct.masks import MaskStore
from medpipe.ct.store import ScanStore, write_scan
from medpipe.nodules.classification.evaluate import evaluate_classification
from medpipe.nodules.classification.inference import classify_at
from medpipe.nodules.classification.params import (
    ClassifyParams,
    EvaluateClassificationParams,
    TargetParams,
    TrainClassifierParams,
)
from medpipe.nodules.classification.train import train_classifier
from medpipe.nodules.params import AugmentParams, CubeNetworkParams, CubeParams
from medpipe.nodules.segmentation.evaluate import evaluate_segmentation
from medpipe.nodules.segmentation.inference import segment_at
from medpipe.nodules.segmentation.params import (
    EvaluateSegmentationParams,
    MaskSamplingParams,
    SegmentParams,
    TrainSegmenterParams,
)
from medpipe.nodules.segmentation.train import train_segmenter
from medpipe.training.params import OptimizerParams, TrainerParams

DEFAULT_FOLDER = Path(__file__).parents[2] / "shared" / "data" / "nodule_cubes_51"
HU_WINDOW = (-1000.0, 400.0)
N_FOLDS, N_MEMBERS, N_EIGHTHS = 5, 4, 8
HEADLINES = {
    "segment": ("roi_dice", "roi_iou", "roi_hausdorff95_mm", "roi_volume_error"),
    "classify": (
        "auc",
        "size_auc",
        "inner_auc",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "accuracy",
        "brier",
        "calibration_error",
    ),
}

SEGMENT = SegmentParams(roi_edge=48, batch_size=4, mirror_average=True)
SEGMENTER = TrainSegmenterParams(
    sampling=MaskSamplingParams(patch_edge=32, batch_size=6, foreground_share=1.0, jitter_voxels=3),
    trainer=TrainerParams(max_steps=900, devices=1),
    segmentation=SEGMENT,
)
MALIGNANCY = TargetParams(column="malignancy", positive_min=4, negative_max=2)
CLASSIFIER = TrainClassifierParams(
    target=MALIGNANCY,
    network=CubeNetworkParams(kind="resnet", resnet_width=8),
    cubes=CubeParams(edge=20, batch_size=8, jitter_voxels=2),
    trainer=TrainerParams(max_steps=150, devices=1),
    optimizer=OptimizerParams(learning_rate=2e-3),
    augment=AugmentParams(),
)
CLASSIFY = ClassifyParams(mirror_average=True)


@dataclass(frozen=True)
class Cubes:
    """The nodules as scans.

    Attributes:
        store: One scan a nodule, voxels of 1 mm, with the masks.
        coarse: The same in voxels of 2 mm, means over eight, without masks: what the classifier sees.
        nodules: As ``ct_nodules``, with the ratings.
        patients: Series uid to patient.
    """

    store: ScanStore
    coarse: ScanStore
    nodules: pd.DataFrame
    patients: dict[str, str]

    def folds(self, series_uids: Sequence[str], n_folds: int, seed: int) -> Iterator[tuple[list[str], list[str]]]:
        """Splits by patient, stratified by malignancy (benign, unclear, malignant): series of either side."""
        from sklearn.model_selection import StratifiedGroupKFold

        rows = self.nodules[self.nodules["series_uid"].isin(series_uids)]
        strata = np.digitize(rows["malignancy"], (2.5, 3.5))
        groups = rows["series_uid"].map(self.patients)
        split = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        for inside, outside in split.split(rows, strata, groups):
            yield [rows["series_uid"].iloc[part].to_list() for part in (inside, outside)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="with cubes51_int16.npz and labels.csv")
    parser.add_argument("--parts", nargs="*", default=["segment", "classify"], choices=["segment", "classify"])
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(N_FOLDS)), help="which of the outer folds")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its default")
    options = parser.parse_args()
    if not (options.folder / "labels.csv").is_file():
        parser.error(f"{options.folder} has no labels.csv; name the folder of the cubes with --folder")
    if options.threads:
        torch.set_num_threads(options.threads)
    common = {name: version(name) for name in ("torch", "monai")} | {"folds": options.folds}
    common |= {"accelerator": "cuda" if torch.cuda.is_available() else "cpu"}
    with tempfile.TemporaryDirectory() as name:
        cubes = prepare(options.folder, Path(name))
        for part in options.parts:
            start = time.perf_counter()
            metrics, settings = {"segment": segment, "classify": classify}[part](cubes, Path(name), options.folds)
            rows = [
                (key, *(metrics.get(f"{key}{end}", float("nan")) for end in ("", "_low", "_high")))
                for key in HEADLINES[part]
            ]
            print_table(f"{part}: {metrics['n_findings']:.0f} nodules", ("", "value", "low", "high"), rows)
            result = {**common, "wall_s": time.perf_counter() - start, "metrics": metrics, "settings": settings}
            print(f"\nwritten: {save(f'nodule_cubes_{part}', result)}")


def prepare(folder: Path, work: Path) -> Cubes:
    """Writes the cubes into two scan stores; every voxel of a cube may be looked at."""
    labels = pd.read_csv(folder / "labels.csv").rename(columns={"texture": "texture_rating"})
    with np.load(folder / "cubes51_int16.npz") as data:
        images, masks, names = data["images"], data["masks"], data["names"]
    rows = []
    for image, mask, name in zip(images, masks, names.astype(str), strict=True):
        # y, x, -z to z, y, x
        hu, inside = (np.ascontiguousarray(cube.transpose(2, 0, 1)[::-1]) for cube in (image, mask.astype(bool)))
        geometry = Geometry(hu.shape, (1.0, 1.0, 1.0))
        _write(work / "store", name, hu, geometry, inside.astype(np.uint16))
        pairs = [size // 2 for size in hu.shape]
        even = hu[tuple(slice(2 * pair) for pair in pairs)]
        halved = even.reshape([part for pair in pairs for part in (pair, 2)]).mean(axis=(1, 3, 5))
        _write(work / "coarse", name, halved, Geometry(halved.shape, (2.0, 2.0, 2.0), (0.5, 0.5, 0.5)), None)
        finding = finding_of_mask(cropped(inside), geometry)
        rows.append((f"{name}-1", name, *finding.centre_xyz_mm, finding.diameter_mm))
    columns = ["finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm"]
    nodules = pd.DataFrame(rows, columns=columns).assign(kind="nodule", has_mask=True)
    nodules = nodules.merge(labels, left_on="series_uid", right_on="Filename", validate="1:1").drop(columns="Filename")
    patients = {uid: uid.partition("_")[0] for uid in nodules["series_uid"]}
    return Cubes(ScanStore(work / "store"), ScanStore(work / "coarse"), nodules, patients)


def _write(folder: Path, name: str, hu: NDArray[Any], geometry: Geometry, numbers: NDArray[np.uint16] | None) -> None:
    low, high = HU_WINDOW
    image = np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    write_scan(folder, name, image, np.ones_like(image), geometry, HU_WINDOW, key=name, labels=numbers)


def segment(cubes: Cubes, work: Path, folds: Sequence[int]) -> tuple[dict[str, float], dict[str, Any]]:
    """Out-of-fold masks of all nodules, scored together."""
    tables = []
    for number, (train, test) in enumerate(cubes.folds(cubes.store.series_uids, N_FOLDS, seed=0)):
        if number in folds:
            params = SEGMENTER.model_copy(update={"trainer": _seeded(SEGMENTER.trainer, number)})
            inner, val = next(cubes.folds(train, N_EIGHTHS, seed=1))
            series = {"train": inner, "val": val}
            checkpoint, history = train_segmenter(cubes.store, cubes.nodules, series, params, work / "segmenter")
            last = history.groupby("name")["value"].last()
            print(f"fold {number}: inner Dice {last['val_dice']:.3f} at {last['val_threshold']:.2f}", flush=True)
            places = cubes.nodules[cubes.nodules["series_uid"].isin(test)]
            tables.append(segment_at(cubes.store, places, checkpoint, SEGMENT, work / f"masks{number}"))
    return _pooled(cubes, tables, work / "masks"), {
        "train": SEGMENTER.model_dump(mode="json"),
        "use": SEGMENT.model_dump(),
    }


def _pooled(cubes: Cubes, tables: Sequence[tuple[pd.DataFrame, MaskStore]], folder: Path) -> dict[str, float]:
    """The measures over the masks of all folds together."""
    folder.mkdir()
    for _, masks in tables:
        for file in masks.folder.glob("*.npz"):
            file.rename(folder / file.name)
    places = pd.concat([table for table, _ in tables])
    metrics, _ = evaluate_segmentation(
        cubes.store,
        cubes.nodules,
        places["series_uid"].to_list(),
        EvaluateSegmentationParams(),
        at_findings=(places, MaskStore(folder)),
        patients=cubes.patients,
    )
    return metrics


def classify(cubes: Cubes, work: Path, folds: Sequence[int]) -> tuple[dict[str, float], dict[str, Any]]:
    """Out-of-fold probabilities of all nodules, scored together.

    Beside them ``inner_auc``, the mean over the folds of the AUC of their quarters, and ``size_auc``, that of the
    diameter of the reader's mask alone.
    """
    inner, outer = [], []
    for number, (rest, test) in enumerate(cubes.folds(cubes.store.series_uids, N_FOLDS, seed=0)):
        if number not in folds:
            continue
        places = cubes.nodules[cubes.nodules["series_uid"].isin(test)]
        logits, quarters = [], []
        for member, (train, val) in enumerate(cubes.folds(rest, N_MEMBERS, seed=1)):
            params = CLASSIFIER.model_copy(update={"trainer": _seeded(CLASSIFIER.trainer, number * N_MEMBERS + member)})
            series = {"train": train, "val": val}
            checkpoint, _ = train_classifier(cubes.coarse, cubes.nodules, series, params, work / "classifier")
            held_out = cubes.nodules[cubes.nodules["series_uid"].isin(val)]
            quarters.append(classify_at(cubes.coarse, held_out, checkpoint, CLASSIFY))
            logits.append(logit(classify_at(cubes.coarse, places, checkpoint, CLASSIFY)["class_probability"]))
        inner.append(_score(cubes, pd.concat(quarters))["auc"])
        outer.append(places.assign(class_probability=expit(np.mean(logits, axis=0))))
        print(f"fold {number}: inner AUC {inner[-1]:.3f}", flush=True)
    told = pd.concat(outer)
    by_size = _score(cubes, told.assign(class_probability=told["diameter_mm"] / told["diameter_mm"].max()))
    metrics = _score(cubes, told) | {"inner_auc": float(np.mean(inner))}
    metrics |= {name.replace("auc", "size_auc"): by_size[name] for name in ("auc", "auc_low", "auc_high")}
    return metrics, {"train": CLASSIFIER.model_dump(mode="json"), "use": CLASSIFY.model_dump(), "members": N_MEMBERS}


def _score(cubes: Cubes, classified: pd.DataFrame) -> dict[str, float]:
    metrics, _ = evaluate_classification(
        classified, MALIGNANCY, EvaluateClassificationParams(), patients=cubes.patients
    )
    return metrics


def _seeded(trainer: TrainerParams, seed: int) -> TrainerParams:
    return trainer.model_copy(update={"seed": seed})


if __name__ == "__main__":
    main()
