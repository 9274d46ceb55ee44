"""Trained models: logged and registered when they are saved, described when they were measured."""

import importlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from medpipe.core.fingerprint import digest
from medpipe.datasets.fingerprint import dataset_fingerprint
from medpipe.hooks.params import MLflowEntry
from medpipe.registry.card import Card, Measured
from medpipe.registry.cohort import Cohort, describe_cohort
from medpipe.registry.registry import Registry
from medpipe.registry.results import with_interval
from medpipe.registry.store import CARD_TAG, MEASURED_AT_TAG, TEST_DATA_TAG
from medpipe.registry.version import Version
from medpipe.serving.requirements import CODE, requirements

FINGERPRINT_TAG = "fingerprint"
MEASURED_TAG = "measured"
CARD_FOLDER = "model_card"
_MAX_METRICS_A_CALL = 1000  # limit of MLflow's log-batch request
_MAX_DESCRIPTION = 5000  # MLflow's column of the description


class ModelLog:
    """The models of one MLflow run.

    Args:
        client: MLflow's.
        registry: Where versions are registered.
        run_id: The run.
        run_tags: Where the run came from, see `medpipe.hooks.provenance.run_tags`.
        catalog: Kedro's.
        cache: Folder in which digests of large files are remembered.
    """

    def __init__(
        self, client: Any, registry: Registry, run_id: str, run_tags: Mapping[str, str], catalog: Any, cache: Path
    ) -> None:
        self._client = client
        self._registry = registry
        self._run_id = run_id
        self._run_tags = run_tags
        self._catalog = catalog
        self._cache = cache
        self._cohorts: dict[str, Cohort | None] = {}

    def log(self, name: str, checkpoint: Path, entry: MLflowEntry) -> Version:
        """Logs checkpoint and loader as a pyfunc model that predicts in a fresh process, and registers it.

        Nothing is pickled.
        """
        import mlflow
        from mlflow.models import Model

        loader = importlib.import_module(entry.loader)
        # MLflow puts a model into the process's experiment, not the run's, whose files may lie elsewhere
        mlflow.set_experiment(experiment_id=self._client.get_run(self._run_id).info.experiment_id)
        with TemporaryDirectory() as folder:
            example = loader.prepare(checkpoint, Path(folder))
            info = Model.log(
                None,
                mlflow.pyfunc,
                name=name,
                run_id=self._run_id,
                loader_module=entry.loader,
                data_path=folder,
                signature=loader.SIGNATURE,
                input_example=example,
                pip_requirements=requirements(),
                code_paths=[str(CODE)],
                streamable=getattr(loader, "STREAMABLE", False),
            )
        return self._registry.register(name, f"models:/{info.model_id}", self._run_id, self._tags(name, entry))

    def describe(self, pipeline: Any) -> None:
        """Gives the models of a finished pipeline their metrics and their cards.

        A model that was trained by an earlier run, which was killed before it was measured, is found by its content.
        """
        for name in sorted(pipeline.datasets()):
            wanted = (getattr(self._catalog[name], "metadata", None) or {}).get("mlflow")
            entry = MLflowEntry.model_validate(wanted) if wanted else None
            if entry is None or entry.log != "model":
                continue
            version = self._registry.with_tag(name, FINGERPRINT_TAG, self._fingerprint(name) or "")
            metrics = list(self._metrics(pipeline, entry))
            if version is not None and metrics:
                self._describe(version, entry, metrics, pipeline)

    def _describe(
        self, version: Version, entry: MLflowEntry, metrics: list[tuple[str, Measured]], pipeline: Any
    ) -> None:
        cohort = self._cohort(version.name, entry)
        content = digest([dict(part.metrics) for _, part in metrics], cohort.test_data if cohort else "")
        if version.tags.get(MEASURED_TAG) == content:
            return
        results = {f"{folder}{key}": value for folder, part in metrics for key, value in part.metrics.items()}
        now = self._log_metrics(version, results)
        parts = [part for _, part in metrics]
        card = self._card(version, entry, parts, pipeline)
        file = f"{CARD_FOLDER}/{version.name}.md"
        self._client.log_text(self._run_id, card.render(), file)
        headlines = {
            f"{folder}{key}": with_interval(part.metrics, key)
            for folder, part in metrics
            for key in part.headlines
            if part.metrics.get(key) is not None
        }
        self._registry.describe(version, self._description(headlines, file))
        data = {TEST_DATA_TAG: cohort.test_data} if cohort else {}
        tags = {**headlines, **data, MEASURED_AT_TAG: str(now)}
        tags[CARD_TAG] = f"runs:/{self._run_id}/{file}"
        self._registry.set_tags(version, {**tags, MEASURED_TAG: content})  # last: what is not there is tried again

    def _description(self, headlines: Mapping[str, str], file: str) -> str:
        experiment = self._client.get_run(self._run_id).info.experiment_id
        link = f"[Model card](#/experiments/{experiment}/runs/{self._run_id}/artifacts/{file})"
        lines = [f"- {name}: {value}" for name, value in headlines.items()]
        return "\n".join([link, "", *lines])[:_MAX_DESCRIPTION]

    def _card(self, version: Version, entry: MLflowEntry, parts: list[Measured], pipeline: Any) -> Card:
        signature = importlib.import_module(entry.loader).SIGNATURE
        recorded = self._registry.params(version)
        named = {name.removeprefix("params:") for name in pipeline.inputs() if name.startswith("params:")}
        return Card(
            version=version,
            full_name=self._registry.full_name(version.name),
            template=entry.card.template,
            cohort=self._cohort(version.name, entry),
            measured=parts,
            params={key: value for key, value in sorted(recorded.items()) if key.partition(".")[0] in named},
            run_tags=self._client.get_run(version.run_id).data.tags,
            inputs=signature.inputs.to_dict(),
            outputs=signature.outputs.to_dict() if signature.outputs else [],
        )

    def _metrics(self, pipeline: Any, entry: MLflowEntry) -> Iterator[tuple[str, Measured]]:
        """Prefix of the names in MLflow and content of what this pipeline measured, now or before."""
        for name in entry.card.metrics:
            if name not in pipeline.all_outputs() or not self._catalog[name].exists():
                continue
            metadata = self._catalog[name].metadata
            content = {key: value for key, value in self._catalog[name].load().items() if not pd.isna(value)}
            folder = MLflowEntry.model_validate(metadata["mlflow"]).folder
            title = name.removesuffix("_metrics")
            yield folder, Measured(title, content, metadata.get("headline", []))

    def _log_metrics(self, version: Version, metrics: Mapping[str, float]) -> int:
        """Links metrics to the logged model, and gives their time in milliseconds."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(name, float(value), now, 0, version.model_id) for name, value in metrics.items()]
        for start in range(0, len(points), _MAX_METRICS_A_CALL):
            self._client.log_batch(self._run_id, metrics=points[start : start + _MAX_METRICS_A_CALL])
        return now

    def _tags(self, name: str, entry: MLflowEntry) -> dict[str, str]:
        """Where a version comes from."""
        tags = {
            FINGERPRINT_TAG: self._fingerprint(name) or "",
            "pipeline": self._run_tags["kedro.pipeline"],
            "env": self._run_tags["kedro.env"],
        }
        for key in ("commit", "dirty"):
            if value := self._run_tags.get(f"mlflow.source.git.{key}"):
                tags[f"git.{key}"] = value
        for table in entry.card.tables:
            tags[f"data.{table}"] = self._fingerprint(table) or ""
        cohort = self._cohort(name, entry)
        return tags | ({"split": cohort.summary(), TEST_DATA_TAG: cohort.test_data} if cohort else {})

    def _cohort(self, name: str, entry: MLflowEntry) -> Cohort | None:
        if name not in self._cohorts:
            names = [table for table in entry.card.tables if self._catalog[table].exists()]
            tables = {table: self._catalog[table].load() for table in names}
            self._cohorts[name] = describe_cohort(tables, entry.card.groups) if tables else None
        return self._cohorts[name]

    def _fingerprint(self, name: str) -> str | None:
        return dataset_fingerprint(self._catalog[name], self._cache)
