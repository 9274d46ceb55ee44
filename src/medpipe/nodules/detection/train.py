"""Training of the nodule detector, from stored scans to a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest
from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.inference import KIND, detect
from medpipe.nodules.detection.module import DetectorModule
from medpipe.nodules.detection.operating_point import choose_operating_point, has_nodules
from medpipe.nodules.detection.params import TrainDetectorParams
from medpipe.nodules.detection.sampling import PatchBatches, scan_places
from medpipe.nodules.preparation import VALIDATION_SEED, common_preparation, provenance, stored
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.data import StepSampler, loader
from medpipe.training.fit import fit
from medpipe.training.module import NetworkModule
from medpipe.training.seeds import seed_everything

_logger = logging.getLogger(__name__)


def train_detector(
    store: ScanStore,
    nodules: pd.DataFrame,
    series: Mapping[str, Sequence[str]],
    params: TrainDetectorParams,
    work_dir: Path,
    n_jobs: int = 1,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains a detector and sets its operating threshold on the validation scans.

    Args:
        store: Preprocessed scans, all with one isotropic spacing and HU window.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind.
        series: Series of the splits ``train`` and ``val``; a split may be missing or empty but for ``train``.
        params: Of the training.
        work_dir: Where an unfinished training keeps its state; a call with the same data and parameters goes on there.
        n_jobs: Processes that look through the scans before training.

    Returns:
        Checkpoint of kind ``nodule_detector``, and the history (columns step, name, value).

    Raises:
        InputError: If there is no training scan with a nodule, or scans differ in spacing or HU window.
    """
    train_uids, val_uids = stored(store, series.get("train", ())), stored(store, series.get("val", ()))
    spacing_mm, hu_window = common_preparation(store, [*train_uids, *val_uids])
    seed = params.trainer.seed
    places = scan_places(store, nodules, train_uids, params.sampling, seed, n_jobs)
    train_batches = PatchBatches(store, places, params.sampling, seed)
    if train_batches.n_nodules == 0:
        raise InputError(
            f"{store.folder}: the {len(train_uids)} training scans have no nodule; check ct_nodules and ct_splits."
        )
    seed_everything(seed)
    module = _module(params, spacing_mm)
    sampler = StepSampler(lambda: module.global_step, min(params.validate_every_n_steps, params.trainer.max_steps))
    val_loader = None
    if val_uids:
        val_places = scan_places(store, nodules, val_uids, params.sampling, VALIDATION_SEED, n_jobs)
        val_batches = PatchBatches(store, val_places, params.sampling, VALIDATION_SEED)
        val_loader = loader(val_batches, range(params.val_batches), 0)
    identity = digest(store.fingerprint(), nodules, train_uids, val_uids, params)
    _logger.info(
        "Training on %d scans with %d nodules, validating on %d scans",
        len(train_uids),
        train_batches.n_nodules,
        len(val_uids),
    )
    history = fit(
        module,
        loader(train_batches, sampler, params.sampling.n_workers),
        params=params.trainer,
        work_dir=work_dir,
        run_key=identity,
        val_batches=val_loader,
        description="Training the nodule detector",
    )
    checkpoint = Checkpoint(
        KIND,
        module.kept_weights(),
        {
            "detector": params.detector.model_dump(mode="json"),
            "detection": params.detection.model_dump(mode="json"),
            "spacing_mm": spacing_mm,
            "hu_window": list(hu_window),
        },
        provenance(store, nodules, {"train": train_uids, "val": val_uids}, params, seed),
    )
    return _with_operating_point(checkpoint, history, store, nodules, val_uids, params)


def _module(params: TrainDetectorParams, spacing_mm: float) -> NetworkModule[Any]:
    if params.detector.kind == "retinanet":
        from medpipe.nodules.detection.retinanet_module import RetinaNetModule

        return RetinaNetModule(params, spacing_mm)
    return DetectorModule(params, spacing_mm)


def _with_operating_point(
    checkpoint: Checkpoint,
    history: pd.DataFrame,
    store: ScanStore,
    nodules: pd.DataFrame,
    val_uids: Sequence[str],
    params: TrainDetectorParams,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Searches the validation scans; threshold and score go into the checkpoint and the history."""
    searched = val_uids if has_nodules(nodules, val_uids) else []
    candidates = detect(store, searched, checkpoint, params.detection)
    point = choose_operating_point(candidates, nodules, val_uids, params.operating_fp_per_scan)
    complete = replace(checkpoint, params=checkpoint.params | point.params())
    return complete, pd.concat([history, point.points(params.trainer.max_steps)], ignore_index=True)
