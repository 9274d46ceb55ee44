"""Training of the second stage: false-positive reduction after Setio et al. (2017), section 3.2.

The detector searches the training scans with a low threshold; what it finds beside the nodules is what the second
network learns to tell from nodules.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.errors import NothingToLearnError
from medpipe.core.fingerprint import digest
from medpipe.ct.store import ScanStore
from medpipe.nodules.cubes import CubeBatches, Places
from medpipe.nodules.detection.balance import draw_weights
from medpipe.nodules.detection.combination import Combination, fit_combination
from medpipe.nodules.detection.inference import detect
from medpipe.nodules.detection.operating_point import choose_operating_point, has_nodules
from medpipe.nodules.detection.params import TrainReducerParams
from medpipe.nodules.detection.reducer_module import ReducerModule
from medpipe.nodules.detection.second_look import REDUCER_KIND, nodule_probability
from medpipe.nodules.evaluation.matching import POSITION, diameters_mm, match
from medpipe.nodules.preparation import VALIDATION_SEED, common_preparation, provenance, stored
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.data import StepSampler, loader
from medpipe.training.device import torch_device
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

_CLEARANCE_MM = 3.0  # a false alarm keeps this distance from the rim of every finding: nearer, it shows the finding

_logger = logging.getLogger(__name__)


def train_reducer(
    store: ScanStore,
    nodules: pd.DataFrame,
    series: Mapping[str, Sequence[str]],
    detector: Checkpoint,
    params: TrainReducerParams,
    work_dir: Path,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains the second stage for a detector.

    How much either stage counts, and the operating threshold of both together, are found on the validation scans.

    Args:
        store: Preprocessed scans, prepared as the detector's training scans were.
        nodules: Columns finding_id, series_uid, x_mm, y_mm, z_mm, diameter_mm, kind.
        series: Series of the splits ``train`` and ``val``; a split may be missing or empty but for ``train``.
        detector: The first stage.
        params: Of the training.
        work_dir: Where an unfinished training keeps its state; a call with the same data and parameters goes on there.

    Returns:
        Checkpoint of kind ``false_positive_reducer``, and the history (columns step, name, value).

    Raises:
        InputError: If the training scans have no nodule or the detector raises no false alarm there, or scans were
            prepared otherwise than the detector's.
    """
    train_uids, val_uids = stored(store, series.get("train", ())), stored(store, series.get("val", ()))
    spacing_mm, hu_window = common_preparation(store, [*train_uids, *val_uids])
    train_places = places_of(store, detect(store, train_uids, detector, params.detection), nodules, train_uids, params)
    if train_places is None:
        raise NothingToLearnError(
            f"{store.folder}: the {len(train_uids)} training scans have no nodule, or the detector raises no false "
            f"alarm there; check ct_nodules and ct_splits, and detection.min_probability "
            f"{params.detection.min_probability}."
        )
    val_candidates = detect(store, val_uids, detector, params.detection)
    val_places = places_of(store, val_candidates, nodules, val_uids, params)
    seed = params.trainer.seed
    seed_everything(seed)
    module = ReducerModule(params)
    sampler = StepSampler(lambda: module.global_step, min(params.validate_every_n_steps, params.trainer.max_steps))
    val_loader = None
    if val_places is not None:
        val_batches = CubeBatches(store, val_places, params.cubes, VALIDATION_SEED)
        val_loader = loader(val_batches, range(params.val_batches), 0)
    n_positive = int(train_places.targets.sum())
    _logger.info("Second stage: %d nodules, %d false alarms", n_positive, len(train_places) - n_positive)
    history = fit(
        module,
        loader(CubeBatches(store, train_places, params.cubes, seed), sampler, params.cubes.n_workers),
        params=params.trainer,
        work_dir=work_dir,
        run_key=digest(store.fingerprint(), nodules, train_uids, val_uids, detector.fingerprint(), params),
        val_batches=val_loader,
        description="Training the false-positive reducer",
    )
    checkpoint = Checkpoint(
        REDUCER_KIND,
        module.kept_weights(),
        {
            "network": params.network.model_dump(mode="json"),
            "edge": params.cubes.edge,
            "spacing_mm": spacing_mm,
            "hu_window": list(hu_window),
            "detector": detector.fingerprint(),
        },
        provenance(store, nodules, {"train": train_uids, "val": val_uids}, params, seed),
    )
    return _combined(checkpoint, history, module, store, nodules, val_candidates, val_uids, params)


def places_of(
    store: ScanStore,
    candidates: pd.DataFrame,
    nodules: pd.DataFrame,
    series_uids: Sequence[str],
    params: TrainReducerParams,
) -> Places | None:
    """Where to learn: nodules, and candidates that keep a distance from every finding; None without either.

    Args:
        store: The scans.
        candidates: Of the detector, on these scans.
        nodules: Findings; those that are no nodules teach nothing, since the network may say there what it likes.
        series_uids: The scans.
        params: Of the training: shares of the two.
    """
    known = nodules[nodules["series_uid"].isin(series_uids)]
    known = known.assign(weight=draw_weights(known, params.balance))
    found, alarms = dict(iter(known.groupby("series_uid"))), dict(iter(candidates.groupby("series_uid")))
    uids: list[str] = []
    centres, targets = [np.zeros((0, 3))], [np.zeros(0, dtype=np.float32)]
    weights = [np.zeros(0)]
    for uid in series_uids:
        geometry = store.open(uid).geometry
        here, raised = found.get(uid, known.iloc[:0]), alarms.get(uid, candidates.iloc[:0])
        real = here[here["kind"] == "nodule"]
        false = raised[_away(raised, here)]
        places = pd.concat([real[POSITION], false[POSITION]]).to_numpy(np.float64)
        centres.append(geometry.to_voxel(places) if len(places) else places)
        targets.append(np.repeat(np.array([1, 0], dtype=np.float32), [len(real), len(false)]))
        weights += [real["weight"].to_numpy(np.float64), np.ones(len(false))]
        uids += [uid] * len(places)
    target, weight = np.concatenate(targets), np.concatenate(weights)
    if target.all() or not target.any():
        return None
    for value, share in ((1, params.positive_share), (0, 1 - params.positive_share)):
        weight[target == value] *= share / weight[target == value].sum()
    return Places(uids, np.concatenate(centres), target, np.zeros(len(target), dtype=np.int64), weight)


def _away(candidates: pd.DataFrame, findings: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    delta = candidates[POSITION].to_numpy(np.float64)[:, None] - findings[POSITION].to_numpy(np.float64)[None]
    return np.asarray((np.linalg.norm(delta, axis=2) > diameters_mm(findings) / 2 + _CLEARANCE_MM).all(axis=1))


def _combined(
    checkpoint: Checkpoint,
    history: pd.DataFrame,
    module: ReducerModule,
    store: ScanStore,
    nodules: pd.DataFrame,
    candidates: pd.DataFrame,
    val_uids: Sequence[str],
    params: TrainReducerParams,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Weights of the two stages and operating threshold, from the validation scans."""
    device = torch_device(params.detection.accelerator)
    network = module.kept_network.to(device).eval()
    parts = dict(iter(candidates.groupby("series_uid", sort=False)))
    scored = pd.concat(
        [candidates.iloc[:0].assign(second=0.0)]
        + [
            part.assign(second=nodule_probability(network, store.open(str(uid)), part, params.cubes.edge, device))
            for uid, part in parts.items()
        ]
    )
    combination = Combination()
    if has_nodules(nodules, val_uids):
        judged = match(scored, nodules, val_uids).candidates
        judged = judged[judged["outcome"].isin(["hit", "false alarm"])]
        combination = fit_combination(judged["probability"], judged["second"], judged["outcome"] == "hit")
    both = scored.assign(probability=combination(scored["probability"], scored["second"]))
    point = choose_operating_point(both, nodules, val_uids, params.operating_fp_per_scan)
    _logger.info("Weights of detector and second stage: %s", combination)
    found = {"combination": combination.to_list()} | point.params()
    complete = replace(checkpoint, params=checkpoint.params | found)
    return complete, pd.concat([history, point.points(params.trainer.max_steps)], ignore_index=True)
