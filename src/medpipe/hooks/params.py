"""Configuration of the tracking (``conf/<env>/mlflow.yml``) and of what each catalog entry sends there."""

from typing import Literal

from pydantic import Field

from medpipe.core.params import Params


class MLflowParams(Params):
    """Where runs are recorded.

    Attributes:
        enabled: False records nothing.
        tracking_uri: ``sqlite:///mlflow.db``, a folder, or the address of a server.
        experiment: Name of the experiment.
        artifact_location: Where a new experiment keeps its files; None leaves it to the store.
        tags: Tags of every run.
    """

    enabled: bool = True
    tracking_uri: str = "sqlite:///mlflow.db"
    experiment: str = "medpipe"
    artifact_location: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)


class MLflowEntry(Params):
    """What a catalog entry sends to MLflow when it is saved: its ``metadata: mlflow:``.

    Attributes:
        log: ``metrics`` (flat dictionary), ``history`` (table of step, name, value), ``artifact`` (the file or folder
            as it is) or ``model`` (a servable pyfunc model).
        folder: Artifact folder for ``artifact``; prefix of the metric names for ``metrics`` and ``history``.
        loader: For ``model``: module with ``_load_pyfunc`` and ``example``, such as ``medpipe.serving.nodules``.
    """

    log: Literal["metrics", "history", "artifact", "model"]
    folder: str = ""
    loader: str = ""
