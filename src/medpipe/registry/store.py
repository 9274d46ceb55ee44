"""What MLflow keeps of registered models: versions with their tags, aliases, files, metrics and parameters."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.registry.client import found, pages
from medpipe.registry.version import ModelState, Version, version_of

CHAMPION = "champion"
CHALLENGER = "challenger"
CARD_TAG = "card"
TEST_DATA_TAG = "test_data"
MEASURED_AT_TAG = "measured_at"
"""Time of the results among the model's metrics, in milliseconds since 1970."""
_NAME_TAG = "medpipe.name"
_NAMES = re.compile(r"[\w.-]+")
_NUMBER = re.compile(r"[0-9]{1,9}")  # what MLflow's database can count to


class ModelStore:
    """Models by the name of their catalog entry.

    Args:
        uri: MLflow's tracking and registry uri; a database must exist.
        prefix: What the models' names in MLflow begin with.
    """

    def __init__(self, uri: str, prefix: str = "") -> None:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it writes a line a file
        import mlflow

        self._uri = uri
        self._prefix = prefix
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    @property
    def uri(self) -> str:
        """MLflow's tracking and registry uri; it may hold a password and is never shown."""
        return self._uri

    def full_name(self, name: str) -> str:
        """Name in MLflow."""
        return f"{self._prefix}{name}"

    def names(self) -> list[str]:
        """Models of this environment, in order."""
        models = pages(self._client.search_registered_models)
        named = [(model.name, model.tags.get(_NAME_TAG, "")) for model in models]
        return sorted(name for full, name in named if name and full == self.full_name(name))

    def versions(self, name: str) -> list[Version]:
        """All versions of a model, newest first; none for an unknown model."""
        model = self._find(name)
        if model is None:
            return []
        wanted = f"name = '{model.name}'"
        every = pages(lambda page_token: self._client.search_model_versions(wanted, page_token=page_token))
        versions = [version_of(each, name, model.aliases) for each in every]
        return sorted(versions, key=lambda version: int(version.version), reverse=True)

    def get(self, name: str, version: str | int) -> Version:
        """One version.

        Args:
            name: Of the model.
            version: Number or alias.

        Raises:
            InputError: There is no such model, version or alias.
        """
        model = self._model(name)
        number = str(version) if _NUMBER.fullmatch(str(version)) else model.aliases.get(str(version))
        if number is None:
            raise InputError(f"{name}: has no {version}; its aliases are {sorted(model.aliases) or 'none'}.")
        there = found(lambda: self._client.get_model_version(model.name, number))
        if there is None:
            numbers = [each.version for each in reversed(self.versions(name))]
            raise InputError(f"{name}: has no version {number}; there are {', '.join(numbers) or 'none'}.")
        return version_of(there, name, model.aliases)

    def champion(self, name: str) -> Version | None:
        """The version in use; None as long as there is none."""
        return self._with_alias(name, CHAMPION)

    def challenger(self, name: str) -> Version | None:
        """The newest version on which nothing is decided; None if there is none."""
        version = self._with_alias(name, CHALLENGER)
        return None if version is None or CHAMPION in version.aliases else version

    def register(self, name: str, model_uri: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Makes a logged model the next version of ``name``, and its challenger.

        Args:
            name: Of the catalog entry.
            model_uri: ``models:/<id>`` of the logged model.
            run_id: That logged it.
            tags: Of the version.
        """
        import mlflow

        mlflow.set_tracking_uri(self._uri)  # MLflow looks the logged model up in the process's store
        full = self.full_name(name)
        if self._find(name) is None:
            self._create(name)
        number = self._client.create_model_version(
            full, model_uri, run_id, tags=dict(tags), model_id=model_uri.removeprefix("models:/")
        ).version
        self._client.set_registered_model_alias(full, CHALLENGER, number)
        return self.get(name, number)

    def download(self, name: str, version: str | int, folder: Path) -> Path:
        """Copies a version's data files, those that its loader's ``prepare`` made, into a folder.

        Args:
            name: Of the model.
            version: Number or alias.
            folder: Where they are to lie; it is replaced as a whole.

        Returns:
            ``folder``.
        """
        import yaml
        from mlflow.artifacts import download_artifacts

        model = self._client.get_logged_model(self.get(name, version).model_id)
        with TemporaryDirectory() as temporary, atomic_path(folder) as target:

            def copy(name: str) -> Path:
                place = f"{model.artifact_location}/{name}"
                return Path(download_artifacts(place, dst_path=temporary, tracking_uri=self._uri))

            described = yaml.safe_load(copy("MLmodel").read_text(encoding="utf-8"))
            shutil.move(copy(described["flavors"]["python_function"]["data"]), target)  # perhaps to another disk
        return folder

    def fetch(self, name: str, version: str | int, folder: Path) -> Path:
        """As `download`, but the whole model, as ``mlflow.pyfunc.load_model`` takes it."""
        from mlflow.artifacts import download_artifacts

        model = self._client.get_logged_model(self.get(name, version).model_id)
        with TemporaryDirectory() as temporary, atomic_path(folder) as target:
            shutil.move(download_artifacts(model.artifact_location, dst_path=temporary, tracking_uri=self._uri), target)
        return folder

    def metrics(self, version: Version) -> dict[str, float]:
        """What was measured of a version, by the names of the run's metrics; empty before it was evaluated."""
        time = version.tags.get(MEASURED_AT_TAG)
        model = found(lambda: self._client.get_logged_model(version.model_id))
        points = (model.metrics or []) if model else []  # MLflow adds all that the run had when the model was logged
        return {point.key: point.value for point in points if str(point.timestamp) == time}

    def params(self, version: Version) -> dict[str, str]:
        """Typed parameters of the run that made a version, flat; empty if the run was deleted."""
        run = found(lambda: self._client.get_run(version.run_id))
        return dict(run.data.params) if run else {}

    def card(self, version: Version) -> str | None:
        """The card of a version as Markdown; None as long as it was not measured."""
        place = re.fullmatch(r"runs:/(\w+)/(.+)", version.tags.get(CARD_TAG, ""))
        if place is None:
            return None
        with TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(*place.groups(), folder)).read_text(encoding="utf-8")

    def set_tags(self, version: Version, tags: Mapping[str, str]) -> None:
        """Adds tags to a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(self.full_name(version.name), version.version, key, value)

    def describe(self, version: Version, text: str) -> None:
        """Sets the description of a version, which MLflow's pages show as Markdown."""
        self._client.update_model_version(self.full_name(version.name), version.version, text)

    def with_tag(self, name: str, key: str, value: str) -> Version | None:
        """The newest version whose tag has a value, if any."""
        return next((version for version in self.versions(name) if version.tags.get(key) == value), None)

    def _create(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.full_name(name), tags={_NAME_TAG: name})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # a run beside this one was first
                raise

    def _find(self, name: str) -> ModelState | None:
        full = self.full_name(name)
        model = found(lambda: self._client.get_registered_model(full)) if _NAMES.fullmatch(full) else None
        return model and ModelState(full, model.tags, {alias: str(number) for alias, number in model.aliases.items()})

    def _model(self, name: str) -> ModelState:
        model = self._find(name)
        if model is None:
            where = f" (names begin with {self._prefix!r})" if self._prefix else ""
            raise InputError(
                f"{name}: no such model is registered{where}; there are {', '.join(self.names()) or 'none'}."
            )
        return model

    def _with_alias(self, name: str, alias: str) -> Version | None:
        model = self._find(name)
        return self.get(name, alias) if model is not None and alias in model.aliases else None
