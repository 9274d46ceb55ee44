import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.properties.evaluate import evaluate_properties, metric_name
from medpipe.molecules.properties.params import EvaluatePropertiesParams
from medpipe.training.checkpoint import Checkpoint

Result = tuple[dict[str, float], pd.DataFrame]


@pytest.fixture(scope="module")
def result(trained: tuple[Checkpoint, pd.DataFrame], table: pd.DataFrame) -> Result:
    return evaluate_properties(trained[0], table, EvaluatePropertiesParams(n_bootstraps=200))


def test_only_test_is_judged(result: Result, table: pd.DataFrame) -> None:
    metrics, predictions = result
    test = table[table["split"] == "test"]
    assert set(predictions["smiles"]) <= set(test["smiles"])
    assert metrics["log P/n"] == len(test)
    assert metrics["has_n/n"] == test["has_n"].notna().sum() == (predictions["task"] == "has_n").sum()


def test_metrics_are_those_of_the_predictions(result: Result) -> None:
    metrics, predictions = result
    errors = predictions[predictions["task"] == "log P"].eval("value - target")
    assert metrics["log P/rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert metrics["mean/rmse"] == metrics["log P/rmse"]
    assert metrics["log P/rmse_low"] < metrics["log P/rmse"] < metrics["log P/rmse_high"]
    assert {"networks/mean/rmse", "trees/mean/rmse", "mean/auroc", "in_domain"} <= set(metrics)


def test_names_of_metrics_fit_mlflow() -> None:
    assert metric_name("logS (mol/L)") == "logS _mol_L_"
