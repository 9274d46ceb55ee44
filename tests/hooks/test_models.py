"""Models in the registry, by real runs through the hook into a real SQLite MLflow."""

from pathlib import Path
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.text import TextDataset

from medpipe.datasets import MetricsDataset, TableDataset
from medpipe.hooks import MLflowHook
from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import Registry, open_registry
from medpipe.runners import IncrementalRunner

SPLITS = pd.DataFrame({"patient_id": ["JaneDoe", "b", "c", "d"], "split": ["train", "train", "val", "test"]})
SCANS = pd.DataFrame(
    {"series_uid": ["1.2", "1.3", "1.4"], "patient_id": ["JaneDoe", "c", "d"], "source": ["x", "x", "y"]}
)
METRICS = {"cpm": 0.5, "cpm_low": 0.4, "cpm_high": 0.6, "cpm_source_y": 0.25, "undefined": float("nan")}
CARD = {"tables": ["splits", "scans"], "groups": ["source"], "metrics": ["test_metrics"]}


def train(splits: pd.DataFrame, params: dict) -> str:
    return f"weights of seed {params['seed']}"


def evaluate(network: str, scans: pd.DataFrame, params: dict) -> dict[str, float]:
    if params["fails"]:
        raise ValueError("the power went")
    return METRICS


class Project:
    """A small project with a training and an evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")

    @property
    def registry(self) -> Registry:
        return open_registry(self.folder, MLflowParams(), "test")

    def run(self, seed: int, fails: bool = False) -> None:
        catalog = self._catalog(seed, fails)
        catalog.save("splits", SPLITS)
        catalog.save("scans", SCANS)
        nodes = [
            Node(train, ["splits", "params:train"], "network", name="train"),
            Node(evaluate, ["network", "scans", "params:evaluate"], "test_metrics", name="evaluate"),
        ]
        manager = _create_hook_manager()
        manager.register(MLflowHook())
        given = {
            "run_params": {"pipeline_names": ["small"], "env": "test"},
            "pipeline": Pipeline(nodes),
            "catalog": catalog,
        }
        context = SimpleNamespace(project_path=self.folder, config_loader={"mlflow": {}})
        manager.hook.after_context_created(context=context)
        manager.hook.before_pipeline_run(**given)
        try:
            result = IncrementalRunner(state_folder=str(self.folder / "state")).run(Pipeline(nodes), catalog, manager)
            manager.hook.after_pipeline_run(run_result=result, **given)
        except ValueError as error:
            manager.hook.on_pipeline_error(error=error, **given)

    def _catalog(self, seed: int, fails: bool) -> DataCatalog:
        loader = "tests.registry.tiny_model"
        return DataCatalog(
            {
                "splits": TableDataset(filepath=str(self.folder / "splits.parquet")),
                "scans": TableDataset(filepath=str(self.folder / "scans.parquet")),
                "params:train": MemoryDataset({"seed": seed}),
                "params:evaluate": MemoryDataset({"fails": fails}),
                "network": TextDataset(
                    filepath=str(self.folder / "network.txt"),
                    metadata={"mlflow": {"log": "model", "loader": loader, "card": CARD}},
                ),
                "test_metrics": MetricsDataset(
                    filepath=str(self.folder / "metrics.json"),
                    metadata={"mlflow": {"log": "metrics", "folder": "test/"}, "headline": ["cpm", "missing"]},
                ),
            }
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """After one complete run."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.run(seed=1)
    return project


@pytest.fixture(scope="module")
def first(project):
    return project.registry.versions("network")[-1]


def test_a_trained_model_is_registered_as_challenger(project, first):
    assert first.aliases == ("challenger",)
    assert project.registry.full_name("network") == "test.network"
    assert (first.tags["env"], first.tags["pipeline"]) == ("test", "small")


def test_the_version_names_its_data_by_fingerprint_and_counts(first):
    assert first.tags["split"] == "splits: train 2, val 1, test 1; scans: train 1, val 1, test 1"
    assert len(first.tags["data.splits"]) == len(first.tags["data.scans"]) == len(first.tags["test_data"]) == 32


def test_the_version_has_its_parameters_and_metrics(project, first):
    assert project.registry.params(first)["train.seed"] == "1"
    assert project.registry.metrics(first) == {f"test/{key}": METRICS[key] for key in METRICS if key != "undefined"}
    assert first.tags["test/cpm"] == "0.5 (0.4 to 0.6)"


def test_the_card_lies_in_the_run_and_is_linked(project, first, tmp_path):
    card = Path(project.client.download_artifacts(first.run_id, "model_card/network.md", str(tmp_path))).read_text()
    assert first.tags["card"] == f"runs:/{first.run_id}/model_card/network.md"
    described = project.client.get_model_version("test.network", first.version).description
    assert f"runs/{first.run_id}/artifacts/model_card/network.md" in described
    assert "| cpm | 0.5 | 0.4 to 0.6 |" in card
    assert "| source_y | cpm | 0.25 |" in card
    assert "JaneDoe" not in card + described + str(first)


def test_the_files_of_the_model_lie_where_those_of_the_run_do(project, first):
    run = project.client.get_run(first.run_id)
    model = project.client.get_logged_model(first.model_id)
    assert model.experiment_id == run.info.experiment_id
    assert model.artifact_location.startswith((project.folder / "mlruns").as_uri())


def test_the_logged_model_predicts(first):
    model = mlflow.pyfunc.load_model(first.source)
    assert model.predict(pd.DataFrame({"smiles": ["CCO"]})) == ["weights of seed 1"]


def test_a_run_without_work_registers_nothing(project, first):
    project.run(seed=1)
    assert project.registry.get("network", first.version) == first


def test_a_model_whose_run_failed_before_its_evaluation_is_measured_by_the_next_run(project, first):
    project.run(seed=2, fails=True)
    unmeasured = project.registry.challenger("network")
    assert project.registry.metrics(unmeasured) == {}
    assert "card" not in unmeasured.tags
    project.run(seed=2)
    measured = project.registry.challenger("network")
    assert measured.version == unmeasured.version
    assert project.registry.metrics(measured)["test/cpm"] == 0.5
    assert measured.run_id not in measured.tags["card"]
