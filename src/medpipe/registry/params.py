"""Where runs and models are recorded: ``conf/<env>/mlflow.yml``."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from medpipe.core.params import Params
from medpipe.registry.database import SQLITE

SHARED_ENVIRONMENTS = frozenset({None, "", "base", "local"})
"""Kedro environments that are the base's own data; all others have models of their own."""


class MLflowParams(Params):
    """Where runs are recorded.

    Attributes:
        enabled: False records nothing.
        tracking_uri: ``sqlite:///mlflow.db``, a folder, the address of a server, or ``postgresql+psycopg://...``.
            It may hold a password and is never shown.
        experiment: Name of the experiment.
        artifact_location: Where a new experiment keeps its files; None leaves it to the store.
        tags: Tags of every run.
        registry_prefix: What the names of registered models begin with. None: the name of the environment and a dot,
            nothing for ``base`` and ``local``, so that a model of other data is never the champion of this one's.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    enabled: bool = True
    tracking_uri: str = Field(default="sqlite:///mlflow.db", repr=False)
    experiment: str = "medpipe"
    artifact_location: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    registry_prefix: str | None = Field(default=None, pattern=r"^[\w.-]*$")

    def store_uri(self, project: Path) -> str:
        """The tracking uri; a relative SQLite file lies in the project, wherever the command was typed."""
        if self.tracking_uri.startswith(SQLITE) and not self.tracking_uri.startswith(f"{SQLITE}/"):
            return f"{SQLITE}{project / self.tracking_uri.removeprefix(SQLITE)}"
        return self.tracking_uri

    def prefix(self, env: str | None) -> str:
        """What names of registered models begin with in a Kedro environment."""
        if self.registry_prefix is not None:
            return self.registry_prefix
        return "" if env in SHARED_ENVIRONMENTS else f"{env}."


class CardParams(Params):
    """What the card of a model is made of: ``metadata: mlflow: card:`` of its catalog entry.

    Attributes:
        template: Of intended use and limits, in ``medpipe/registry/cards``.
        tables: What it learned from and is tested on; the first has a column ``split``
            (`medpipe.registry.cohort.describe_cohort`).
        groups: Columns of these tables whose values are counted, such as manufacturer.
        metrics: Catalog entries that measure it on the test data.
    """

    template: Literal["model", "nodules", "generator", "properties"] = "model"
    tables: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
