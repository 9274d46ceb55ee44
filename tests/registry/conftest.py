"""A real MLflow store in SQLite with tiny logged models."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow.models import Model

from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import Registry, open_registry
from tests.registry import tiny_model


class Shelf:
    """A project folder whose MLflow store has a run and models to register."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.registry = open_registry(project, MLflowParams())
        self.uri = f"sqlite:///{project / 'mlflow.db'}"
        self.client = mlflow.MlflowClient(self.uri)
        experiment = self.client.create_experiment("medpipe", artifact_location=(project / "mlruns").as_uri())
        self.run_id = self.client.create_run(experiment).info.run_id

    def log(self, content: str) -> str:
        """Logs a model whose data is one file; gives its uri."""
        mlflow.set_tracking_uri(self.uri)
        folder = self.project / "data_of_model"
        folder.mkdir(exist_ok=True)
        (folder / "weights.txt").write_text(content)
        info = Model.log(
            None,
            mlflow.pyfunc,
            name="tiny",
            run_id=self.run_id,
            loader_module=tiny_model.__name__,
            data_path=str(folder),
            pip_requirements=["mlflow"],
            signature=tiny_model.SIGNATURE,
        )
        return info.model_uri


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One store for all tests of the registry; each test takes a model name of its own."""
    return Shelf(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def logged(shelf: Shelf) -> list[str]:
    """Three logged models."""
    return [shelf.log(f"weights {number}") for number in (1, 2, 3)]


@pytest.fixture
def registry(shelf: Shelf) -> Registry:
    return shelf.registry


@pytest.fixture
def fill(shelf: Shelf, logged: list[str]) -> Callable[..., Registry]:
    """Registers so many versions of a name."""

    def make(name: str, n: int) -> Registry:
        for number in range(n):
            shelf.registry.register(name, logged[number], shelf.run_id, {"number": str(number + 1)})
        return shelf.registry

    return make
