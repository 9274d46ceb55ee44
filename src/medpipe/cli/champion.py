"""Which model a command uses: the champion of the registry, unless another is named."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from medpipe.core.errors import InputError

NAMES = {"nodules": "nodule_models", "generator": "generator_checkpoint", "properties": "property_model"}
"""Name in the registry of each kind of model: that of its catalog entry."""

_TRAINED_BY = {"nodules": "imaging", "generator": "molecules", "properties": "properties"}


@dataclass(frozen=True)
class ChosenModel:
    """A model on this disk.

    Attributes:
        folder: Of the MLflow model.
        name: In the registry, or the place it was taken from.
        version: In the registry; None for a model that was given by its place.
    """

    folder: Path
    name: str
    version: str | None

    @property
    def title(self) -> str:
        """For people."""
        return self.name if self.version is None else f"{self.name} version {self.version}"

    def file(self, name: str) -> Path:
        """One of its data files.

        Raises:
            InputError: There is none: it is a model of another kind.
        """
        import yaml

        described = yaml.safe_load((self.folder / "MLmodel").read_text(encoding="utf-8"))
        file = self.folder / described["flavors"]["python_function"]["data"] / name
        if not file.is_file():
            raise InputError(f"--model: {self.title} holds no {name}; it is a model of another kind.")
        return file


def choose_model(kind: str, wanted: str | None, env: str | None, folder: Path) -> ChosenModel:
    """Brings a model to this disk.

    Args:
        kind: One of `NAMES`.
        wanted: Version or alias in the registry, a folder, or a uri that MLflow knows (``runs:/...``, ``s3://...``);
            None takes the champion.
        env: Kedro environment whose registry is asked; None takes the default one.
        folder: For what has to be fetched.

    Raises:
        InputError: There is no such model, or no champion yet.
    """
    if wanted is not None and Path(wanted).expanduser().is_dir():
        place = Path(wanted).expanduser().resolve()
        _check_is_model(place, wanted)
        return ChosenModel(place, place.name, None)
    from medpipe.registry.project import registry_of_project

    registry = registry_of_project(env)
    if wanted is not None and ":/" in wanted:
        return ChosenModel(_fetch_uri(wanted, registry.uri, folder), wanted, None)
    name = NAMES[kind]
    if wanted is None and registry.champion(name) is None:
        raise InputError(
            f"{name}: there is no champion yet. Train and promote one (kedro run --pipeline={_TRAINED_BY[kind]}; "
            f"medpipe models list; medpipe models promote {name} VERSION --reason ...), or name a version with --model."
        )
    version = registry.get(name, wanted or "champion")
    place = folder / version.version
    return ChosenModel(registry.fetch(name, version.version, place), name, version.version)


def newer_champion(
    name: str, known: Collection[str | None], env: str | None, folder: Path, *, keep: Path
) -> ChosenModel | None:
    """The champion, if a version has become it that is not known.

    Args:
        name: In the registry.
        known: Versions that are not fetched.
        env: As in `choose_model`.
        folder: As in `choose_model`; what was fetched before is removed from it.
        keep: The model that is in use, which stays.
    """
    from medpipe.registry.project import registry_of_project

    registry = registry_of_project(env)
    champion = registry.champion(name)
    if champion is None or champion.version in known:
        return None
    for old in folder.iterdir():
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
    return ChosenModel(registry.fetch(name, champion.version, folder / champion.version), name, champion.version)


def _fetch_uri(uri: str, store: str, folder: Path) -> Path:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    target = folder / "model"
    target.mkdir()
    try:
        place = Path(download_artifacts(artifact_uri=uri, dst_path=str(target), tracking_uri=store))
    except (MlflowException, OSError) as error:
        raise InputError(f"--model: {uri} cannot be fetched ({type(error).__name__}).") from error
    _check_is_model(place, uri)
    return place


def _check_is_model(folder: Path, wanted: str) -> None:
    if not (folder / "MLmodel").is_file():
        raise InputError(f"--model: {wanted} holds no file MLmodel; name the folder of an MLflow model.")
