"""A scratch project with a registry of its own."""

import importlib
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.models import Model

from medpipe.registry.project import registry_of_project
from medpipe.registry.registry import Registry
from tests.scratch import make_project


class ProjectRegistry:
    """Models in the registry of a project.

    Attributes:
        project: The project.
        registry: Its registry.
    """

    def __init__(self, folder: Path) -> None:
        self.project = make_project(folder)
        self.registry: Registry = registry_of_project(folder=self.project)

    def add(self, kind: str, name: str, source: Path) -> str:
        """Registers a checkpoint as the tracking hook does; the version."""
        mlflow.set_tracking_uri(self.registry.uri)
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("tests")
        identifier = (
            experiment.experiment_id
            if experiment is not None
            else client.create_experiment("tests", artifact_location=(self.project / "mlruns").as_uri())
        )
        run_id = client.create_run(identifier).info.run_id
        mlflow.set_experiment(experiment_id=identifier)  # where MLflow puts the model, whatever the run's is
        loader = importlib.import_module(f"medpipe.serving.{kind}")
        with TemporaryDirectory() as data:
            logged = Model.log(
                None,
                mlflow.pyfunc,
                name=name,
                run_id=run_id,
                loader_module=loader.__name__,
                input_example=loader.prepare(source, Path(data)),
                data_path=data,
                signature=loader.SIGNATURE,
                pip_requirements=[],
            )
        return self.registry.register(name, logged.model_uri, run_id, {}).version
