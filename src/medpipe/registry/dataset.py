"""A registered model in the catalog: its files on this disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from medpipe.core.atomic import write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest
from medpipe.registry.contest import Contest, find_contest
from medpipe.registry.params import MLflowParams
from medpipe.registry.registry import Registry, open_registry
from medpipe.registry.version import Version

_FILES, _LABEL = "files", "version.json"


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a model.

    Attributes:
        name: Of the model.
        version: None where there is no such version.
        folder: With its data files; None where there is none.
    """

    name: str
    version: Version | None
    folder: Path | None

    @property
    def number(self) -> str | None:
        """Number of the version, if there is one."""
        return None if self.version is None else self.version.version

    def file(self, name: str) -> Path:
        """One of the data files.

        Raises:
            InputError: There is no such version, or it has no such file.
        """
        if self.folder is None:
            raise InputError(f"{self.name}: there is no such version in the registry.")
        if not (self.folder / name).exists():
            there = ", ".join(sorted(file.name for file in self.folder.iterdir()))
            raise InputError(f"{self.name}: version {self.number} has no {name}, but {there}.")
        return self.folder / name


@dataclass(frozen=True)
class Contestant(RegisteredModel):
    """One of the two of a contest.

    Attributes:
        contest: The contest.
    """

    contest: Contest


class RegisteredModelDataset(AbstractDataset):
    """A version of a registered model by alias or number, copied to a folder when it is loaded.

    Its fingerprint is that of the version that the alias points to, so nodes run again when the alias moves. That there
    is no such version is a state like any other, with a fingerprint of its own.

    Args:
        filepath: Folder for the copy.
        model: Name of the model: that of the catalog entry which is logged.
        alias: Of the version, or its number.
        metadata: Not used by Kedro.
    """

    def __init__(
        self, *, filepath: str, model: str, alias: str = "champion", metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._model = model
        self._alias = str(alias)
        self._store: tuple[Path, MLflowParams, str | None] | None = None
        self.metadata = metadata

    def connect(self, project: Path, params: MLflowParams, env: str | None) -> None:
        """Tells where models are registered; without it, the project of the current folder says so.

        Args:
            project: Folder of the project.
            params: Content of ``mlflow.yml``.
            env: Kedro environment.
        """
        self._store = (project, params, env)

    def load(self) -> RegisteredModel:
        """The version, its files copied here unless they are already.

        Raises:
            InputError: Tracking is switched off, so there is no registry.
        """
        registry = self._registry()
        version = self._find(registry)
        return RegisteredModel(self._model, version, self._fetch(registry, version))

    def save(self, data: Any) -> None:
        """Versions are registered when a model is logged, never by the catalog.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{self._model} is registered when its own catalog entry is saved")

    def fingerprint(self, cache_folder: Path | None = None) -> str:
        """Of the version."""
        version = self._find(self._registry())
        return digest(None if version is None else [version.version, version.source])

    def preview(self) -> JSONPreview:
        """Which version it is, for Kedro-Viz."""
        import json

        version = self._find(self._registry())
        found = None if version is None else version.version
        reason = "" if version is None else version.tags.get("decision.reason", "")
        return JSONPreview(json.dumps({"model": self._model, self._alias: found, "reason": reason}))

    def _registry(self) -> Registry:
        if self._store is None:
            from medpipe.registry.project import registry_of_project

            return registry_of_project()
        project, params, env = self._store
        if not params.enabled:
            raise InputError("mlflow.yml: enabled is false, so there is no registry; set it to true to keep models.")
        return open_registry(project, params, env)

    def _find(self, registry: Registry) -> Version | None:
        try:
            return registry.get(self._model, self._alias)
        except InputError:
            return None

    def _fetch(self, registry: Registry, version: Version | None) -> Path | None:
        """The copy; its label is written last, so that one without belongs to nobody."""
        if version is None:
            return None
        files, label = self._filepath / _FILES, self._filepath / _LABEL
        if not label.is_file() or version.source not in label.read_text(encoding="utf-8"):
            label.unlink(missing_ok=True)
            registry.download(self._model, version.version, files)
            write_json(label, {"model": self._model, "version": version.version, "source": version.source})
        return files

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "model": self._model, "alias": self._alias}


class ContestantDataset(RegisteredModelDataset):
    """The champion or the challenger of a contest (`medpipe.registry.contest.find_contest`).

    It stays the same version after the contest was settled, though the aliases moved then: what the gate did itself is
    no reason for it to run again.

    Args:
        filepath: Folder for the copy.
        model: Name of the model.
        alias: ``champion`` or ``challenger``.
        metadata: Not used by Kedro.
    """

    def __init__(
        self,
        *,
        filepath: str,
        model: str,
        alias: Literal["champion", "challenger"],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, model=model, alias=alias, metadata=metadata)

    def load(self) -> Contestant:
        """The contestant, its files copied here unless they are already.

        Raises:
            InputError: Tracking is switched off, so there is no registry.
        """
        registry = self._registry()
        contest = find_contest(registry, self._model)
        version = contest.champion if self._alias == "champion" else contest.challenger
        return Contestant(self._model, version, self._fetch(registry, version), contest)

    def _find(self, registry: Registry) -> Version | None:
        contest = find_contest(registry, self._model)
        return contest.champion if self._alias == "champion" else contest.challenger
