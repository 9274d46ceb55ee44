"""Training of the segmenter, from stored scans with masks to a checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medpipe.core.errors import NothingToLearnError
from medpipe.core.fingerprint import digest
from medpipe.ct.store import ScanStore
from medpipe.nodules.preparation import VALIDATION_SEED, common_preparation, provenance, stored
from medpipe.nodules.segmentation.module import SegmenterModule
from medpipe.nodules.segmentation.network import KIND
from medpipe.nodules.segmentation.params import TrainSegmenterParams
from medpipe.nodules.segmentation.sampling import MaskBatches, mask_places, targets
from medpipe.nodules.segmentation.threshold import dice_by_threshold
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.data import StepLoader, StepSampler, loader
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

DEFAULT_THRESHOLD = 0.5
"""Where there is no validation finding to choose it on."""

_logger = logging.getLogger(__name__)


def train_segmenter(
    store: ScanStore,
    nodules: pd.DataFrame,
    series: Mapping[str, Sequence[str]],
    params: TrainSegmenterParams,
    work_dir: Path,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains a segmenter of lesions or of an organ, as ``params.target`` and ``params.sampling`` say.

    Args:
        store: Preprocessed scans with masks, all with one isotropic spacing and HU window.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, kind, and label if the target names labels.
        series: Series of the splits ``train`` and ``val``; a split may be missing or empty but for ``train``.
        params: Of the training.
        work_dir: Where an unfinished training keeps its state; a call with the same data and parameters goes on there.

    Returns:
        Checkpoint of kind ``segmenter``, and the history (columns step, name, value).

    Raises:
        InputError: If no training scan has a mask of the target, or scans differ in spacing or HU window.
    """
    train_uids, val_uids = stored(store, series.get("train", ())), stored(store, series.get("val", ()))
    spacing_mm, hu_window = common_preparation(store, [*train_uids, *val_uids])
    found, seed = targets(nodules, params.target), params.trainer.seed
    batches = MaskBatches(store, mask_places(store, found, train_uids, params.sampling, seed), params.sampling, seed)
    if batches.n_findings == 0:
        raise NothingToLearnError(
            f"{store.folder}: none of the {len(train_uids)} training scans has a mask of target kinds "
            f"{params.target.kinds}, labels {params.target.labels or 'any'}; check ct_nodules and the label sources."
        )
    seed_everything(seed)
    module = SegmenterModule(params)
    sampler = StepSampler(lambda: module.global_step, min(params.validate_every_n_steps, params.trainer.max_steps))
    _logger.info("Training on %d scans with %d masks", len(train_uids), batches.n_findings)
    history = fit(
        module,
        loader(batches, sampler, params.sampling.n_workers),
        params=params.trainer,
        work_dir=work_dir,
        run_key=digest(store.fingerprint(), nodules, train_uids, val_uids, params),
        val_batches=_validation(store, found, val_uids, params),
        description="Training the segmenter",
    )
    checkpoint = Checkpoint(
        KIND,
        module.kept_weights(),
        {
            "at_place": params.sampling.at_place,
            "segmenter": params.segmenter.model_dump(mode="json"),
            "target": params.target.model_dump(mode="json"),
            "spacing_mm": spacing_mm,
            "hu_window": list(hu_window),
            "threshold": DEFAULT_THRESHOLD,
        },
        provenance(store, nodules, {"train": train_uids, "val": val_uids}, params, seed)
        | {"n_masks": batches.n_findings},
    )
    if not params.sampling.at_place:
        return checkpoint, history
    return _with_threshold(checkpoint, history, store, found, val_uids, params)


def _with_threshold(
    checkpoint: Checkpoint,
    history: pd.DataFrame,
    store: ScanStore,
    found: pd.DataFrame,
    val_uids: Sequence[str],
    params: TrainSegmenterParams,
) -> tuple[Checkpoint, pd.DataFrame]:
    """The threshold with the best mean Dice on the validation findings goes into checkpoint and history."""
    dice = dice_by_threshold(store, found, val_uids, checkpoint, params.segmentation)
    if not dice:
        _logger.warning("No validation finding has a mask: the threshold stays %.2f", DEFAULT_THRESHOLD)
        return checkpoint, history
    best = max(dice, key=lambda threshold: dice[threshold])
    _logger.info("Dice of the validation findings: %.3f at threshold %.2f", dice[best], best)
    points = {"val_dice": dice[best], "val_threshold": best}
    rows = pd.DataFrame({"step": params.trainer.max_steps, "name": list(points), "value": list(points.values())})
    complete = replace(checkpoint, params={**checkpoint.params, "threshold": best})
    return complete, pd.concat([history, rows.astype(dict(history.dtypes))], ignore_index=True)


def _validation(
    store: ScanStore, found: pd.DataFrame, val_uids: Sequence[str], params: TrainSegmenterParams
) -> StepLoader | None:
    """Loader of the validation patches; None where no validation scan has a mask."""
    places = mask_places(store, found, val_uids, params.sampling, VALIDATION_SEED)
    batches = MaskBatches(store, places, params.sampling, VALIDATION_SEED)
    return loader(batches, range(params.val_batches), 0) if batches.n_findings else None
