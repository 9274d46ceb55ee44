"""The registry of the project in the current folder."""

from pathlib import Path

from medpipe.core.errors import InputError
from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import Registry, open_registry


def registry_of_project(env: str | None = None, folder: Path | None = None) -> Registry:
    """Opens the registry as ``conf/<env>/mlflow.yml`` says.

    Args:
        env: Kedro environment; None takes KEDRO_ENV or the project's default.
        folder: In the project; None takes the current one.

    Raises:
        InputError: There is no project, or tracking is switched off.
    """
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    project = find_kedro_project((folder or Path.cwd()).resolve())
    if project is None:
        raise InputError(
            f"{folder or Path.cwd()}: no Kedro project lies here or above; change to the project's folder."
        )
    bootstrap_project(project)
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
