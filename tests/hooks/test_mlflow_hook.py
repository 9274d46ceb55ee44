"""The hook against a real SQLite MLflow."""

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from medpipe.datasets import MetricsDataset, TableDataset
from medpipe.hooks import MLflowHook, ResourceHook, RunSummaryHook
from medpipe.hooks.models import ModelLog

HISTORY = pd.DataFrame({"step": [0, 10], "name": ["loss", "loss"], "value": [2.0, 1.0]})


def train(table: pd.DataFrame, params: dict) -> tuple[dict[str, float], pd.DataFrame]:
    if params["trainer"]["seed"] < 0:
        raise ValueError("seed must not be negative")
    return {"cpm": 0.5, "cpm_low": 0.4, "cpm_high": 0.6, "undefined": float("nan")}, HISTORY


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return tmp_path_factory.mktemp("project")


def run(project, seed=1, enabled=True):
    """One run through the real hooks; gives the newest MLflow run, if any."""
    catalog = DataCatalog(
        {
            "table": TableDataset(filepath=str(project / "table.parquet")),
            "params:train": MemoryDataset({"trainer": {"seed": seed}, "names": ["a", "b"]}),
            "test_metrics": MetricsDataset(
                filepath=str(project / "metrics.json"),
                metadata={"mlflow": {"log": "metrics", "folder": "test/"}, "headline": ["cpm"]},
            ),
            "course": TableDataset(
                filepath=str(project / "course.parquet"), metadata={"mlflow": {"log": "history", "folder": "train/"}}
            ),
        }
    )
    catalog.save("table", pd.DataFrame({"patient": ["Jane Doe"]}))
    pipeline = Pipeline([Node(train, ["table", "params:train"], ["test_metrics", "course"], name="train")])
    manager = _create_hook_manager()
    recorder = MLflowHook()
    resources = ResourceHook(recorder)
    for hook in (recorder, resources, RunSummaryHook(resources)):
        manager.register(hook)
    settings = {"enabled": enabled, "experiment": "test"}
    context = SimpleNamespace(project_path=project, config_loader={"mlflow": settings})
    manager.hook.after_context_created(context=context)
    run_params = {"pipeline_names": ["imaging"], "env": "test"}
    manager.hook.before_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)
    try:
        result = SequentialRunner().run(pipeline, catalog, manager)
        manager.hook.after_pipeline_run(run_params=run_params, run_result=result, pipeline=pipeline, catalog=catalog)
    except ValueError as error:
        manager.hook.on_pipeline_error(error=error, run_params=run_params, pipeline=pipeline, catalog=catalog)
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("test")
    return client, client.search_runs([experiment.experiment_id])[0] if experiment else None


@pytest.fixture(scope="module")
def recorded(project):
    return run(project)


def test_parameters_are_flat(recorded):
    _, found = recorded
    assert found.data.params == {"train.trainer.seed": "1", "train.names": '["a", "b"]'}


def test_metrics_are_recorded_and_undefined_ones_left_out(recorded):
    _, found = recorded
    assert found.data.metrics["test/cpm"] == 0.5
    assert "test/undefined" not in found.data.metrics


def test_history_keeps_its_steps(recorded):
    client, found = recorded
    course = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in course] == [(0, 2.0), (10, 1.0)]


def test_what_each_node_took_is_recorded(recorded):
    _, found = recorded
    took = {name: value for name, value in found.data.metrics.items() if name.startswith("resources/train/")}
    assert took.keys() >= {f"resources/train/{name}" for name in ("wall_s", "cpu_s", "peak_memory_gib")}
    assert took["resources/train/wall_s"] > 0


def test_data_is_named_by_fingerprint_only(recorded):
    _, found = recorded
    (dataset,) = [entry.dataset for entry in found.inputs.dataset_inputs]
    assert (dataset.name, len(dataset.digest)) == ("table", 32)
    assert "Jane" not in str(found.to_dictionary())


def test_run_is_finished_and_says_where_it_came_from(recorded):
    _, found = recorded
    assert found.info.status == "FINISHED"
    assert found.data.tags["kedro.pipeline"] == "imaging"
    assert found.data.tags["version.torch"].startswith("2.")


def test_failed_run_says_why(project):
    _, found = run(project, seed=-1)
    assert found.info.status == "FAILED"
    assert found.data.tags["error"] == "ValueError: seed must not be negative"


def test_a_run_whose_models_cannot_be_described_has_failed(project, recorded, monkeypatch):
    def describe(self, pipeline):
        raise RuntimeError("the card has no template")

    monkeypatch.setattr(ModelLog, "describe", describe)
    with pytest.raises(RuntimeError, match="template"):
        run(project)
    client, before = recorded
    found = client.search_runs([before.info.experiment_id])[0]
    assert (found.info.status, found.data.tags["error"]) == ("FAILED", "RuntimeError: the card has no template")


def test_run_joins_the_one_of_the_environment(project, recorded, monkeypatch):
    client, before = recorded
    joined = client.create_run(before.info.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", joined)
    run(project)
    found = client.get_run(joined)
    assert found.data.metrics["test/cpm"] == 0.5
    assert found.info.status == "RUNNING"


def test_run_of_a_killed_process_is_not_shown_as_running(project, recorded):
    client, before = recorded
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    killed = client.create_run(before.info.experiment_id, tags={"process": f"{socket.gethostname()}:{gone.pid}"})
    alive = client.create_run(before.info.experiment_id, tags={"process": f"{socket.gethostname()}:{os.getpid()}"})
    run(project)
    assert client.get_run(killed.info.run_id).info.status == "KILLED"
    assert client.get_run(alive.info.run_id).info.status == "RUNNING"


def test_disabled_tracking_leaves_no_file(tmp_path):
    run(tmp_path, enabled=False)
    assert not (tmp_path / "mlruns").exists()


def test_summary_shows_headline_with_interval(project, capsys):
    run(project, enabled=False)
    shown = capsys.readouterr().err
    assert "train" in shown
    assert "0.400 to 0.600" in shown
