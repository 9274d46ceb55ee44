"""Records each run in MLflow; the only place that knows its client.

Driven by the catalog: an entry with ``metadata: mlflow: {log: ...}`` is recorded when a node saves it. A run begins
with the first node that runs, so a run in which nothing had to be done leaves no trace.
"""

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from kedro.framework.hooks import hook_impl

from medpipe.datasets.fingerprint import dataset_fingerprint, persisted
from medpipe.hooks.experiment import experiment_id
from medpipe.hooks.flatten import flatten
from medpipe.hooks.killed import PROCESS_TAG, end_killed_runs, this_process
from medpipe.hooks.messages import public_message
from medpipe.hooks.params import MLflowEntry
from medpipe.hooks.provenance import run_tags
from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import open_registry
from medpipe.runners.incremental import DEFAULT_STATE_FOLDER

RUN_ID_VARIABLE = "MLFLOW_RUN_ID"
MAX_METRICS_A_CALL = 1000  # limits of MLflow's log-batch request
MAX_PARAMS_A_CALL = 100
MAX_PARAM_LENGTH = 6000

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class MLflowHook:
    """Parameters, metrics with their course, artifacts, data fingerprints and models of every run."""

    def __init__(self) -> None:
        self._params = MLflowParams(enabled=False)
        self._project = Path()
        self._catalog: Any = None
        self._run: dict[str, Any] = {}
        self._pipeline: Any = None
        self._client: Any = None
        self._run_id: str | None = None
        self._models: Any = None

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Reads ``mlflow.yml``."""
        self._project = Path(context.project_path)
        self._params = MLflowParams.model_validate(context.config_loader["mlflow"])

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Any, catalog: Any) -> None:
        """Remembers what is to be run."""
        self._run, self._pipeline, self._catalog, self._run_id = run_params, pipeline, catalog, None

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Begins the MLflow run with the first node that runs."""
        if self._params.enabled and self._run_id is None:
            self._start()

    @hook_impl
    def after_node_run(self, node: Any, inputs: dict[str, Any]) -> None:
        """Records the fingerprints of the data that the node read."""
        if self._run_id is not None:
            self._log_inputs([name for name in inputs if persisted(self._catalog[name])])

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Records the dataset as its catalog entry says."""
        dataset = self._catalog[dataset_name]
        wanted = (getattr(dataset, "metadata", None) or {}).get("mlflow")
        if self._run_id is None or wanted is None:
            return
        entry = MLflowEntry.model_validate(wanted)
        match entry.log:
            case "metrics":
                self._log_metrics((0, f"{entry.folder}{name}", value) for name, value in data.items())
            case "history":
                rows = data[["step", "name", "value"]].itertuples(index=False)
                self._log_metrics((step, f"{entry.folder}{name}", value) for step, name, value in rows)
            case "artifact":
                self._client.log_artifact(self._run_id, str(dataset._filepath), entry.folder or None)
            case "model":
                self._models.log(dataset_name, Path(dataset._filepath), entry)

    def record(self, points: Iterable[tuple[int, str, float]]) -> None:
        """Adds metrics to the run that is going on, if any; other hooks have no client of their own.

        Args:
            points: Step, name and value of each; what is not a number is left out.
        """
        if self._run_id is not None:
            self._log_metrics(points)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Describes the models by what was measured of them, and ends the run as finished."""
        if self._run_id is not None:
            try:
                self._models.describe(self._pipeline)
            except Exception as error:  # Kedro calls no hook for what fails in one
                self.on_pipeline_error(error)
                raise
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Ends the run as failed, with the error's first line."""
        if self._run_id is not None:
            self._client.set_tag(self._run_id, "error", public_message(error))
        self._end("FAILED")

    def _start(self) -> None:
        os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its log lines go the way of all others
        import mlflow

        from medpipe.hooks.models import ModelLog

        uri = self._params.store_uri(self._project)
        registry = open_registry(self._project, self._params, self._run.get("env"))
        mlflow.set_tracking_uri(uri)
        self._client = mlflow.MlflowClient()
        pipelines = ", ".join(self._run.get("pipeline_names") or []) or "all"
        tags = run_tags(pipelines, self._run.get("env"), self._project) | self._params.tags
        self._run_id = os.environ.get(RUN_ID_VARIABLE) or self._new_run(tags)
        cache = self._project / DEFAULT_STATE_FOLDER
        self._models = ModelLog(self._client, registry, self._run_id, tags, self._catalog, cache)
        self._log_params()
        _logger.info("Recorded in MLflow as run %s", self._run_id)

    def _new_run(self, tags: dict[str, str]) -> str:
        identifier = experiment_id(self._client, self._params, self._project)
        end_killed_runs(self._client, identifier)
        tags = {**tags, PROCESS_TAG: this_process()}
        return str(self._client.create_run(identifier, tags=tags).info.run_id)

    def _log_params(self) -> None:
        from mlflow.entities import Param

        names = sorted(name for name in self._pipeline.inputs() if name.startswith("params:"))
        flat: dict[str, Any] = {}
        for name in names:
            flat |= flatten(self._catalog.load(name), name.removeprefix("params:"))
        params = [Param(key, _text(value)) for key, value in flat.items()]
        for some in _chunks(params, MAX_PARAMS_A_CALL):
            self._client.log_batch(self._run_id, params=some)

    def _log_metrics(self, points: Iterable[tuple[int, str, float]]) -> None:
        import pandas as pd
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = (Metric(name, float(value), now, int(step)) for step, name, value in points if not pd.isna(value))
        for some in _chunks(metrics, MAX_METRICS_A_CALL):
            self._client.log_batch(self._run_id, metrics=some)

    def _log_inputs(self, names: list[str]) -> None:
        """Names and fingerprints only: rows and paths may tell of patients."""
        from mlflow.entities import Dataset, DatasetInput

        inputs = []
        for name in names:
            fingerprint = dataset_fingerprint(self._catalog[name], self._project / DEFAULT_STATE_FOLDER)
            if fingerprint is not None:
                inputs.append(DatasetInput(Dataset(name, fingerprint, "medpipe", json.dumps({"catalog": name}))))
        if inputs:
            self._client.log_inputs(self._run_id, inputs)

    def _end(self, status: str) -> None:
        if self._run_id is None:
            return
        if not os.environ.get(RUN_ID_VARIABLE):
            self._client.set_terminated(self._run_id, status)
        self._run_id = None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_PARAM_LENGTH else f"{text[: MAX_PARAM_LENGTH - 3]}..."


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
