"""Tells the catalog's registered models where they are registered."""

from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from medpipe.registry.params import MLflowParams

DATASETS = ("medpipe.registry.dataset.RegisteredModelDataset", "medpipe.registry.dataset.ContestantDataset")
"""Types of the catalog entries that read the registry."""


class RegisteredModelsHook:
    """Connects registered models in the catalog with the store that ``mlflow.yml`` of the run's environment names."""

    def __init__(self) -> None:
        self._project = Path()
        self._env: str | None = None
        self._params = MLflowParams(enabled=False)

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Reads ``mlflow.yml``."""
        self._project, self._env = Path(context.project_path), context.env
        self._params = MLflowParams.model_validate(context.config_loader["mlflow"])

    @hook_impl
    def after_catalog_created(self, catalog: Any, conf_catalog: dict[str, Any]) -> None:
        """Connects them; other entries stay unmade."""
        for name, entry in conf_catalog.items():
            if isinstance(entry, dict) and entry.get("type") in DATASETS:
                catalog[name].connect(self._project, self._params, self._env)
