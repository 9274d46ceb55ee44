"""The MLflow experiment of a project."""

from pathlib import Path
from typing import Any

from medpipe.registry.params import MLflowParams


def experiment_id(client: Any, params: MLflowParams, project: Path) -> str:
    """The experiment that ``mlflow.yml`` names; made where there is none.

    Args:
        client: MLflow's.
        params: Content of ``mlflow.yml``.
        project: Folder of the project, where files lie unless ``mlflow.yml`` names another place.
    """
    experiment = client.get_experiment_by_name(params.experiment)
    if experiment is not None:
        return str(experiment.experiment_id)
    location = params.artifact_location or (project / "mlruns").as_uri()
    return str(client.create_experiment(params.experiment, artifact_location=location))
