"""How good a property model is on test: each task and their mean, beside networks alone and trees alone."""

import logging
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.molecules.metrics.fingerprints import nearest
from medpipe.molecules.properties.features import read_features
from medpipe.molecules.properties.metrics import (
    MEAN,
    Weights,
    classification_metrics,
    draw_weights,
    mean_of_tasks,
    regression_metrics,
)
from medpipe.molecules.properties.model import PropertyModel
from medpipe.molecules.properties.params import EvaluatePropertiesParams
from medpipe.training.checkpoint import Checkpoint

PARTS = {"networks": 1.0, "trees": 0.0}
"""What the model is made of, with the weight of the networks that leaves only this part."""

FloatArray = npt.NDArray[np.float64]
_UNFIT = re.compile(r"[^\w\-. ]")  # for a name of a metric in MLflow

_logger = logging.getLogger(__name__)


def evaluate_properties(
    checkpoint: Checkpoint, table: pd.DataFrame, params: EvaluatePropertiesParams
) -> tuple[dict[str, float], pd.DataFrame]:
    """Predicts test and compares.

    Args:
        checkpoint: Of ``train_properties``.
        table: As `ingest_properties` gives it.
        params: Of the evaluation.

    Returns:
        Metrics ``<task>/<measure>`` with ``_low`` and ``_high`` (percentiles over drawn sets of molecules), the same
        under ``mean`` over tasks of a kind, ``<task>/n``; ``networks/...`` and ``trees/...``: what either alone gives;
        ``<task>/..._in_domain`` for the molecules in the domain, ``in_domain``: their share. And one row a molecule and
        known target: smiles, task, target, value, uncertainty, similarity, in_domain.
    """
    model = PropertyModel.of(checkpoint)
    test = table[table["split"] == "test"]
    features, places = read_features(test["smiles"].tolist(), 1)
    targets = test[list(model.tasks)].to_numpy(dtype=np.float64, na_value=np.nan)[places]
    similarity, _ = nearest(features.fingerprints, model.train, 1)
    inside = similarity >= model.least_similarity
    members = model.members(features)
    value, uncertainty = model.calibrated(members)
    weights = draw_weights(len(features), params.n_bootstraps, params.seed)
    everyone = np.ones(len(features), dtype=bool)
    metrics = {"n": float(len(features)), "in_domain": float(inside.mean())}
    metrics |= _scores(model, targets, value, uncertainty, weights, everyone, params)
    for part, weight in PARTS.items():
        alone = model.calibrated(members, weight)
        found = _scores(model, targets, *alone, weights, everyone, params)
        metrics |= {f"{part}/{name}": number for name, number in found.items()}
    for name, within in (("in_domain", inside), ("out_of_domain", ~inside)):
        found = _scores(model, targets, value, uncertainty, weights[:1], within, params)
        metrics |= {f"{key}_{name}": number for key, number in found.items()}
    smiles = test["smiles"].to_numpy()[places]
    parts = [
        pd.DataFrame(
            {
                "smiles": smiles,
                "task": name,
                "target": targets[:, task],
                "value": value[:, task],
                "uncertainty": uncertainty[:, task],
                "similarity": similarity,
                "in_domain": inside,
            }
        )
        for task, name in enumerate(model.tasks)
    ]
    predictions = pd.concat(parts, ignore_index=True).dropna(subset="target").reset_index(drop=True)
    _report(metrics)
    return metrics, predictions.astype({"smiles": "str", "task": "str"})


def _scores(
    model: PropertyModel,
    targets: FloatArray,
    value: FloatArray,
    uncertainty: FloatArray,
    weights: Weights,
    chosen: npt.NDArray[np.bool_],
    params: EvaluatePropertiesParams,
) -> dict[str, float]:
    """Each task and the means, of the ``chosen`` molecules."""
    metrics: dict[str, float] = {}
    drawn: dict[str, list[FloatArray]] = {}
    for task, name in enumerate(model.tasks):
        known = np.isfinite(targets[:, task]) & chosen
        metrics[f"{metric_name(name)}/n"] = float(known.sum())
        if not known.any():
            continue
        target, predicted = targets[known, task], value[known, task]
        if model.is_class[task]:
            found = classification_metrics(target, predicted, weights[:, known], params.n_bins)
        else:
            found = regression_metrics(target, predicted, uncertainty[known, task], weights[:, known])
        for measure, values in found.items():
            metrics |= _with_interval(f"{metric_name(name)}/{measure}", values, params.confidence)
            drawn.setdefault(measure, []).append(values)
    for measure, of_tasks in drawn.items():
        if (mean := mean_of_tasks(of_tasks)) is not None:
            metrics |= _with_interval(f"{MEAN}/{measure}", mean, params.confidence)
    return metrics


def _with_interval(name: str, values: FloatArray, confidence: float) -> dict[str, float]:
    """First value, and percentiles of the others; nothing where it is not defined."""
    if not np.isfinite(values[0]):
        return {}
    metrics = {name: float(values[0])}
    others = values[1:][np.isfinite(values[1:])]
    if len(others):
        low, high = np.quantile(others, [(1 - confidence) / 2, (1 + confidence) / 2])
        metrics |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return metrics


def metric_name(task: str) -> str:
    """The name of a task as it stands in metrics: what MLflow does not take is an underscore."""
    return _UNFIT.sub("_", task)


def _report(metrics: Mapping[str, float]) -> None:
    for measure in ("rmse", "auroc"):
        key = f"{MEAN}/{measure}"
        if key in metrics:
            alone = ", ".join(f"{part} alone {metrics[f'{part}/{key}']:.3f}" for part in PARTS)
            _logger.info("%s on test, mean over tasks: %.3f (%s)", measure.upper(), metrics[key], alone)
