"""The project in the current folder, and its registry."""

from pathlib import Path
from typing import TYPE_CHECKING

from medpipe.core.errors import InputError
from medpipe.registry.params import MLflowParams

if TYPE_CHECKING:
    from medpipe.registry.registry import Registry


def find_project(folder: Path | None = None) -> Path:
    """Folder of the project, ready for Kedro.

    Args:
        folder: In the project; None takes the current one.

    Raises:
        InputError: There is no project.
    """
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    start = folder or Path.cwd()
    project = find_kedro_project(start.resolve())
    if project is None:
        raise InputError(f"{start}: no Kedro project lies here or above; change to the project's folder.")
    bootstrap_project(project)
    return Path(project)


def registry_of_project(env: str | None = None, folder: Path | None = None) -> "Registry":
    """Opens the registry as ``conf/<env>/mlflow.yml`` says.

    Args:
        env: Kedro environment; None takes KEDRO_ENV or the project's default.
        folder: In the project; None takes the current one.

    Raises:
        InputError: There is no project, or tracking is switched off.
    """
    from medpipe.registry.registry import open_registry

    project = find_project(folder)
    env, params = read_params(project, env)
    if not params.enabled:
        raise InputError("mlflow.yml: enabled is false, so there is no registry; set it to true to keep models.")
    return open_registry(project, params, env)


def read_params(project: Path, env: str | None) -> tuple[str, MLflowParams]:
    """Name of the Kedro environment, and ``mlflow.yml`` of it.

    Args:
        project: Folder of a project that was bootstrapped.
        env: Kedro environment; None takes KEDRO_ENV or the project's default.
    """
    import os

    from kedro.framework.project import settings

    env = env or os.environ.get("KEDRO_ENV")
    options = settings.CONFIG_LOADER_ARGS
    loader = settings.CONFIG_LOADER_CLASS(conf_source=str(project / settings.CONF_SOURCE), env=env, **options)
    return env or options["default_run_env"], MLflowParams.model_validate(loader["mlflow"])
