"""A real MLflow store in SQLite with tiny logged models."""

from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import Model

from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import open_registry
from tests.registry import tiny_model


class Shelf:
    """A project folder whose MLflow store has a run and models to register."""

    def __init__(self, project: Path, env: str | None = None) -> None:
        self.project = project
        self.registry = open_registry(project, MLflowParams(), env)
        self.uri = f"sqlite:///{project / 'mlflow.db'}"
        self.client = mlflow.MlflowClient(self.uri)
        experiment = self.client.create_experiment("medpipe", artifact_location=(project / "mlruns").as_uri())
        self.run_id = self.client.create_run(experiment).info.run_id

    def log(self, content: str) -> str:
        """Logs a model whose data is one file; gives its uri."""
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_experiment(experiment_id=self.client.get_run(self.run_id).info.experiment_id)
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
            input_example=pd.DataFrame({"smiles": ["CCO"]}),
        )
        return info.model_uri
