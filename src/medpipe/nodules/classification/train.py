"""Training of the classifier, from stored scans to a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.fingerprint import digest
from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.calibration import (
    Calibration,
    fit_calibration,
    prior_calibration,
    youden_threshold,
)
from medpipe.nodules.classification.inference import KIND, logits_at
from medpipe.nodules.classification.module import ClassifierModule
from medpipe.nodules.classification.params import TrainClassifierParams
from medpipe.nodules.classification.targets import Labelled, labelled, require_both_classes
from medpipe.nodules.cubes import CubeBatches, Places
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.preparation import VALIDATION_SEED, common_preparation, provenance, stored
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.data import StepSampler, loader
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

_logger = logging.getLogger(__name__)


def train_classifier(
    store: ScanStore,
    nodules: pd.DataFrame,
    series: Mapping[str, Sequence[str]],
    params: TrainClassifierParams,
    work_dir: Path,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains a classifier; its probabilities are calibrated and its threshold is set on the validation findings.

    Both classes are drawn equally often. Where the validation findings are of one class, or are not told apart at all,
    probabilities only have the odds of the training findings, and the threshold is 0.5.

    Args:
        store: Preprocessed scans, all with one isotropic spacing and HU window.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, kind, and the target's.
        series: Series of the splits ``train`` and ``val``; a split may be missing or empty but for ``train``.
        params: Of the training.
        work_dir: Where an unfinished training keeps its state; a call with the same data and parameters goes on there.

    Returns:
        Checkpoint of kind ``cube_classifier``, and the history (columns step, name, value).

    Raises:
        InputError: If a column is missing, the training nodules are of one class, or scans differ in spacing or window.
    """
    train_uids, val_uids = stored(store, series.get("train", ())), stored(store, series.get("val", ()))
    spacing_mm, hu_window = common_preparation(store, [*train_uids, *val_uids])
    here = nodules[nodules["series_uid"].isin(train_uids)]
    train, val = (labelled(nodules[nodules["series_uid"].isin(uids)], params.target) for uids in (train_uids, val_uids))
    require_both_classes(train, params.target, here)
    seed = params.trainer.seed
    seed_everything(seed)
    module = ClassifierModule(params)
    sampler = StepSampler(lambda: module.global_step, min(params.validate_every_n_steps, params.trainer.max_steps))
    val_loader = None
    if len(val.findings):
        val_batches = CubeBatches(store, _places(store, val.findings), params.cubes, VALIDATION_SEED)
        val_loader = loader(val_batches, range(params.val_batches), 0)
    _logger.info("%s; training findings: %s, validation findings: %s", params.target.rule, train.counts, val.counts)
    history = fit(
        module,
        loader(
            CubeBatches(store, _places(store, train.findings), params.cubes, seed),
            sampler,
            params.cubes.n_workers,
        ),
        params=params.trainer,
        work_dir=work_dir,
        run_key=digest(store.fingerprint(), nodules, train_uids, val_uids, params),
        val_batches=val_loader,
        description="Training the classifier",
    )
    prior = prior_calibration(train.counts["n_positive"], train.counts["n_negative"])
    checkpoint = Checkpoint(
        KIND,
        module.kept_weights(),
        {
            "network": params.network.model_dump(mode="json"),
            "edge": params.cubes.edge,
            "spacing_mm": spacing_mm,
            "hu_window": list(hu_window),
            "target": params.target.model_dump(mode="json"),
            "rule": params.target.rule,
            "calibration": asdict(prior),
            "operating_threshold": 0.5,
        },
        provenance(store, nodules, {"train": train_uids, "val": val_uids}, params, seed)
        | {"train_findings": train.counts, "val_findings": val.counts},
    )
    return _set_operating_point(checkpoint, history, store, val, params)


def _places(store: ScanStore, findings: pd.DataFrame) -> Places:
    """Where cubes are cut; each class is drawn equally often."""
    uids = findings["series_uid"].astype(str).to_list()
    world = findings[POSITION].to_numpy(dtype=np.float64)
    of_class = findings.groupby("target")["target"].transform("size").to_numpy(dtype=np.float64)
    return Places(
        uids,
        np.stack([store.open(uid).geometry.to_voxel(place)[0] for uid, place in zip(uids, world, strict=True)]),
        findings["target"].to_numpy(dtype=np.float32),
        np.zeros(len(uids), dtype=np.int64),
        1 / of_class,
    )


def _set_operating_point(
    checkpoint: Checkpoint, history: pd.DataFrame, store: ScanStore, val: Labelled, params: TrainClassifierParams
) -> tuple[Checkpoint, pd.DataFrame]:
    """Calibration and threshold from the validation findings, into the checkpoint and the history."""
    targets = val.findings["target"].to_numpy(dtype=np.float64)
    if len(np.unique(targets)) < 2:
        _logger.warning("The %d validation findings are not of both classes: no calibration", len(targets))
        return checkpoint, history
    from sklearn.metrics import roc_auc_score

    logits = logits_at(store, val.findings, checkpoint, params.classification)
    prior = Calibration(**checkpoint.params["calibration"])
    calibration = fit_calibration(logits, targets) or prior
    threshold = youden_threshold(calibration.probability(logits), targets)
    auc = float(roc_auc_score(targets, logits))
    _logger.info("AUC on %d validation findings: %.3f, operating threshold %.3f", len(targets), auc, threshold)
    values = {"val_auc": auc, "val_operating_threshold": threshold}
    points = pd.DataFrame({"step": params.trainer.max_steps, "name": list(values), "value": list(values.values())})
    found = {**checkpoint.params, "calibration": asdict(calibration), "operating_threshold": threshold, "val_auc": auc}
    complete = Checkpoint(checkpoint.kind, checkpoint.weights, found, checkpoint.provenance)
    return complete, pd.concat([history, points.astype(dict(history.dtypes))], ignore_index=True)
