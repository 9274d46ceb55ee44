"""From molecules with targets to a calibrated model: an ensemble of networks, and boosted trees as their control."""

import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from medpipe.core.fingerprint import digest
from medpipe.molecules.metrics.fingerprints import nearest
from medpipe.molecules.properties.boosting import fit_forest
from medpipe.molecules.properties.calibration import fit_deviation, fit_logits
from medpipe.molecules.properties.features import MoleculeFeatures, read_features
from medpipe.molecules.properties.model import Members, PropertyModel, Scaling, molecule_keys
from medpipe.molecules.properties.module import LabelledMolecules, train_member
from medpipe.molecules.properties.network import standardise
from medpipe.molecules.properties.params import TrainPropertiesParams
from medpipe.training.checkpoint import Checkpoint

_COMBINATIONS = {0.5: "the average of networks and trees", 1.0: "the networks", 0.0: "the trees"}
"""Weights of the networks that are tried on val."""
_MEMBER_KIND = "property_network"
_VERSIONED = ("medpipe", "torch", "lightning", "rdkit", "scikit-learn")

FloatArray = npt.NDArray[np.float64]

_logger = logging.getLogger(__name__)


def train_properties(
    table: pd.DataFrame, params: TrainPropertiesParams, work_dir: Path
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains networks and trees, and chooses on val what is made of them; test is not touched.

    Args:
        table: As `ingest_properties` gives it: smiles, split, and the targets (float64 numbers, Int64 classes).
        params: Of the training.
        work_dir: Where an unfinished training keeps its state; a killed one goes on there.

    Returns:
        Checkpoint of kind ``property_model``, and the history of the networks: columns step, name, value.
    """
    tasks = tuple(name for name in table.columns if name not in ("smiles", "split"))
    is_class = np.array([table[name].dtype == "Int64" for name in tasks])
    features, places = read_features(table["smiles"].tolist(), params.n_jobs)
    targets = table[list(tasks)].to_numpy(dtype=np.float64, na_value=np.nan)[places]
    split = table["split"].to_numpy()[places]
    in_train, in_val = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    train, val = features.take(in_train), features.take(in_val)
    scaling = _scaling(train, targets[in_train], is_class)
    batches = [
        LabelledMolecules(
            part,
            standardise(part.descriptors, scaling.descriptor_mean, scaling.descriptor_std),
            ((targets[rows] - scaling.target_mean) / scaling.target_std).astype(np.float32),
            params.batch_size,
            seed,
        )
        for part, rows, seed in ((train, in_train, params.seed), (val, in_val, None))
    ]
    weights, history = _train_members(batches[0], batches[1], is_class, params, work_dir, digest(table))
    forest = fit_forest(train, targets[in_train], val, targets[in_val], is_class, params.boosting, params.seed)
    uncalibrated = np.tile([1.0, 0.0], (len(tasks), 1))
    model = PropertyModel(
        tasks, is_class, params.network, weights, forest, scaling, 0.5, uncalibrated, train.fingerprints, 0.0
    )
    model = _fit_to_val(model, val, targets[in_val], params)
    model = replace(model, seen=molecule_keys(table.loc[table["split"] != "test", "smiles"]))
    provenance = {
        "data": digest(table),
        "molecules": {name: int((split == name).sum()) for name in ("train", "val")},
        "params": params.model_dump(mode="json"),
        "versions": {name: version(name) for name in _VERSIONED},
    }
    return model.checkpoint(provenance), history


def _scaling(train: MoleculeFeatures, targets: FloatArray, is_class: npt.NDArray[np.bool_]) -> Scaling:
    """Mean and deviation of descriptors and known targets of train; classes stay as they are."""
    mean, std = np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)
    described = train.descriptors.astype(np.float64)
    return Scaling(
        target_mean=np.where(is_class, 0, mean).astype(np.float32),
        target_std=np.where(is_class, 1, std).astype(np.float32),
        descriptor_mean=described.mean(axis=0).astype(np.float32),
        descriptor_std=described.std(axis=0).astype(np.float32),
    )


def _train_members(
    train: LabelledMolecules,
    val: LabelledMolecules,
    is_class: npt.NDArray[np.bool_],
    params: TrainPropertiesParams,
    work_dir: Path,
    data_key: str,
) -> tuple[list[dict[str, torch.Tensor]], pd.DataFrame]:
    """Weights of each network and their history; what a killed run has finished is not trained again."""
    weights, histories = [], []
    for member in range(params.n_members):
        seed = params.seed + member
        finished = work_dir / f"member_{member}.safetensors"
        key = digest(data_key, params, seed)
        if finished.exists() and (kept := Checkpoint.load(finished, _MEMBER_KIND)).params["key"] == key:
            history = pd.DataFrame(kept.params["history"])
        else:
            described = f"Training network {member + 1} of {params.n_members}"
            folder = work_dir / f"member_{member}"
            trained, history = train_member(train, val, is_class.tolist(), params, seed, folder, data_key, described)
            kept = Checkpoint(_MEMBER_KIND, trained, {"key": key, "history": history.to_dict("list")})
            kept.save(finished)
        weights.append(kept.weights)
        histories.append(history if member == 0 else history.assign(name=f"member_{member}_" + history["name"]))
    return weights, pd.concat(histories, ignore_index=True)


def _fit_to_val(
    model: PropertyModel, val: MoleculeFeatures, targets: FloatArray, params: TrainPropertiesParams
) -> PropertyModel:
    """Combination, calibration and domain."""
    members = model.members(val)
    losses = {weight: _loss(members, weight, targets, model) for weight in _COMBINATIONS}
    weight = min(losses, key=lambda one: losses[one])
    text = ", ".join(f"{_COMBINATIONS[one]} {loss:.4f}" for one, loss in losses.items())
    _logger.info("Loss on val: %s; kept: %s", text, _COMBINATIONS[weight])
    value, spread = members.combined(weight), members.spread
    calibration = np.zeros((len(model.tasks), 2))
    for task, known in enumerate(np.isfinite(targets).T):
        if not known.any():
            _logger.warning("Target %s is known of no molecule of val: it is not calibrated", model.tasks[task])
        said, true = value[known, task], targets[known, task]
        if model.is_class[task]:
            calibration[task] = fit_logits(said, true)
        else:
            variance = float(model.scaling.target_std[task]) ** 2
            calibration[task] = fit_deviation(true - said, spread[known, task], variance)
    similarity, _ = nearest(val.fingerprints, model.train, 1)
    least = float(np.quantile(similarity, 1 - params.domain_quantile))
    return replace(model, network_weight=weight, calibration=calibration, least_similarity=least)


def _loss(members: Members, weight: float, targets: FloatArray, model: PropertyModel) -> float:
    """Mean over tasks: squared error in variances of train, or cross-entropy."""
    value = members.combined(weight)
    squared = ((value - targets) / model.scaling.target_std) ** 2
    entropy = np.logaddexp(0, value) - targets * value
    loss = np.where(model.is_class, entropy, squared)[:, np.isfinite(targets).any(axis=0)]
    return float(np.nanmean(loss, axis=0).mean()) if loss.size else 0.0
