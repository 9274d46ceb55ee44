"""Two property models on the same molecules of test."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.fingerprint import digest
from medpipe.molecules.properties.evaluate import metric_name
from medpipe.molecules.properties.features import read_features
from medpipe.molecules.properties.metrics import (
    MEAN,
    classification_metrics,
    draw_weights,
    mean_of_tasks,
    regression_metrics,
)
from medpipe.molecules.properties.model import PropertyModel, molecule_keys
from medpipe.molecules.properties.params import EvaluatePropertiesParams
from medpipe.promotion.frozen import frozen_test, unseen
from medpipe.promotion.params import GateParams
from medpipe.promotion.scores import Scores
from medpipe.training.checkpoint import Checkpoint

UNIT = "molecules"
NOMINAL_COVERAGE = 0.95
"""Share of the errors that should lie within 1.96 uncertainties."""

FloatArray = npt.NDArray[np.float64]


def molecules_of_test(table: pd.DataFrame, models: dict[str, Checkpoint]) -> pd.DataFrame:
    """The molecules of test, and which of the models was trained on each.

    Args:
        table: As `ingest_properties` gives it.
        models: Name to checkpoint.
    """
    test = table[table["split"] == "test"].drop(columns="split")
    keys = molecule_keys(test["smiles"])
    seen = {name: np.isin(keys, PropertyModel.of(checkpoint).seen) for name, checkpoint in models.items()}
    return frozen_test(test, seen, UNIT)


def score_properties(
    checkpoint: Checkpoint | None, test: pd.DataFrame, params: GateParams, evaluation: EvaluatePropertiesParams
) -> Scores:
    """Measures a model on the molecules of test, and on sets of them that are the same for every model.

    Args:
        checkpoint: Of ``train_properties``; None where there is no model.
        test: Of `molecules_of_test`.
        params: Of the gate: how many sets are drawn, and how many molecules a target must be known of to count.
        evaluation: Bins of the calibration error.

    Returns:
        ``mean/<measure>`` over the targets of each kind that are known of ``min_units`` molecules at least and, where
        there are several targets, ``<target>/<measure>``: rmse, mae, r2, coverage_error of numbers; auroc, auprc,
        brier, calibration_error of classes. As units count the molecules of the target that is known of the fewest.
    """
    rows = unseen(test)
    tasks = [name for name in rows.columns if name != "smiles"]
    about = Scores(digest(rows), UNIT, len(rows))
    if checkpoint is None:
        return _failed(about, "There is no such model.")
    model = PropertyModel.of(checkpoint)
    kinds = dict(zip(model.tasks, model.is_class.tolist(), strict=True))
    if others := [name for name in tasks if kinds.get(name) is not (rows[name].dtype == "Int64")]:
        return _failed(about, f"It does not predict {', '.join(others)} as the table has it, but {', '.join(kinds)}.")
    if rows.empty:
        return about
    features, places = read_features(rows["smiles"].tolist(), 1)
    value, uncertainty = model.calibrated(model.members(features))
    weights = draw_weights(len(features), params.n_bootstraps, params.seed)
    metrics: dict[str, FloatArray] = {}
    of_measure: dict[str, list[FloatArray]] = {}
    n_known: dict[str, int] = {}
    for name in tasks:
        column = model.tasks.index(name)
        target = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)[places]
        known = np.isfinite(target)
        n_known[metric_name(name)] = int(known.sum())
        if not known.any():
            continue
        if rows[name].dtype == "Int64":
            found = classification_metrics(target[known], value[known, column], weights[:, known], evaluation.n_bins)
        else:
            found = regression_metrics(
                target[known], value[known, column], uncertainty[known, column], weights[:, known]
            )
            found["coverage_error"] = np.abs(found.pop("coverage_95") - NOMINAL_COVERAGE)
        for measure, values in found.items():
            metrics[f"{metric_name(name)}/{measure}"] = values
            if known.sum() >= params.min_units:
                of_measure.setdefault(measure, []).append(values)
    taken = {f"{MEAN}/{measure}": mean_of_tasks(values) for measure, values in of_measure.items()}
    means = {name: values for name, values in taken.items() if values is not None}
    found = means | (metrics if len(tasks) > 1 else {})
    return Scores.of_sets(about.test, UNIT, _decisive(n_known, params), found)


def _decisive(n_known: Mapping[str, int], params: GateParams) -> int:
    """How many molecules the headline rests on: of its own target, or of the one with the fewest in the mean."""
    own = n_known.get(params.headline.metric.partition("/")[0])
    enough = [n for n in n_known.values() if n >= params.min_units]
    return own if own is not None else min(enough, default=max(n_known.values(), default=0))


def _failed(about: Scores, problem: str) -> Scores:
    return Scores(about.test, about.unit, about.n_units, problem=problem)
