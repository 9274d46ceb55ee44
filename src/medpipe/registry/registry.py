"""Trained models with their versions and aliases, in MLflow's model registry.

All state lies in MLflow. Who is champion is said by one alias, which MLflow moves in one transaction: there is one
champion or none, whatever is killed when. Every change is announced by an event first (`medpipe.registry.events`), then
the alias moves, then what only explains is written; whoever tries again after a kill finds the rest to do.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.registry.client import found, pages
from medpipe.registry.database import make_database
from medpipe.registry.events import Event, Kind, Reign, crowning, new_event, read_events, reigns
from medpipe.registry.params import MLflowParams
from medpipe.registry.version import ModelState, Version, version_of

CHAMPION = "champion"
CHALLENGER = "challenger"
_NAME_TAG = "medpipe.name"
_DECISION_TAG = "decision"
_NAMES = re.compile(r"[\w.-]+")


class ChampionChangedError(InputError):
    """Another version became champion since the decision was made; it is void."""


def open_registry(project: Path, params: MLflowParams, env: str | None = None) -> "Registry":
    """The registry of the tracking store that ``mlflow.yml`` names; a SQLite database is made where there is none.

    Args:
        project: Folder of the project.
        params: Content of ``mlflow.yml``.
        env: Kedro environment, for the prefix of the models' names.
    """
    uri = params.store_uri(project)
    make_database(uri)
    return Registry(uri, params.prefix(env))


class Registry:
    """Models by the name of their catalog entry.

    Args:
        uri: MLflow's tracking and registry uri; a database must exist.
        prefix: What the models' names in MLflow begin with.
    """

    def __init__(self, uri: str, prefix: str = "") -> None:
        import mlflow

        self._uri = uri
        self._prefix = prefix
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def full_name(self, name: str) -> str:
        """Name in MLflow."""
        return f"{self._prefix}{name}"

    def names(self) -> list[str]:
        """Models of this environment, in order."""
        found = pages(self._client.search_registered_models)
        return sorted(
            model.tags[_NAME_TAG] for model in found if model.name == self.full_name(model.tags.get(_NAME_TAG))
        )

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
        number = str(version) if str(version).isdigit() else model.aliases.get(str(version))
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

    def promote(
        self,
        name: str,
        version: str | int,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        compared_with: str | None = None,
    ) -> Version:
        """Makes a version the champion; promoting the champion again only completes what a kill interrupted.

        Args:
            name: Of the model.
            version: Number or alias.
            reason: Kept with the decision.
            evidence: Numbers behind it, as JSON can hold them.
            compared_with: Version of the champion that was beaten.

        Raises:
            InputError: There is no such version.
            ChampionChangedError: The champion is no longer ``compared_with``; nothing was changed.
        """
        chosen = self.get(name, version)
        model = self._model(name)
        before = model.aliases.get(CHAMPION)
        if compared_with is not None and before != compared_with:
            raise ChampionChangedError(
                f"{name}: version {chosen.version} was compared with champion {compared_with}, but the champion is "
                f"{before or 'gone'} now; nothing was changed. Compare it again."
            )
        if before != chosen.version:
            events = read_events(model.tags)
            line = [] if before is None else [before, *_line(events, before)]
            self._announce(model, "promoted", chosen.version, line, reason)
            self._client.set_registered_model_alias(model.name, CHAMPION, chosen.version)
        self._explain(chosen, "promoted", reason, evidence)
        self._end_challenge(name, chosen.version)
        return self.get(name, chosen.version)

    def refuse(self, name: str, version: str | int, reason: str, evidence: Mapping[str, Any] | None = None) -> Version:
        """Records that a version does not become champion; it is no longer the challenger.

        Raises:
            InputError: There is no such version, or it is the champion.
        """
        chosen = self.get(name, version)
        if CHAMPION in chosen.aliases:
            raise InputError(f"{name}: version {chosen.version} is the champion; it can be rolled back, not refused.")
        model = self._model(name)
        self._explain(chosen, "refused", reason, evidence)
        self._announce(model, "refused", chosen.version, [], reason)
        self._end_challenge(name, chosen.version)
        return self.get(name, chosen.version)

    def rollback(self, name: str, reason: str) -> Version:
        """Makes the champion before this one champion again; a second time goes one further back.

        Versions that were deleted since are passed over.

        Raises:
            InputError: There is no champion, or none before it.
        """
        model = self._model(name)
        champion = self.champion(name)
        if champion is None:
            raise InputError(f"{name}: has no champion, so there is nothing to roll back.")
        there = {each.version for each in self.versions(name)}
        line = [number for number in _line(read_events(model.tags), champion.version) if number in there]
        if not line:
            raise InputError(
                f"{name}: no champion is recorded before version {champion.version}; promote a version to set another."
            )
        self._announce(model, "rolled back", line[0], line[1:], reason)
        self._client.set_registered_model_alias(model.name, CHAMPION, line[0])
        self._explain(champion, "rolled back", reason, None)
        return self.get(name, line[0])

    def events(self, name: str) -> list[Event]:
        """All decisions about a model, oldest first; the last may be one that a kill kept from coming true."""
        return read_events(self._model(name).tags)

    def history(self, name: str) -> list[Reign]:
        """Who was champion from when to when and why, newest first."""
        model = self._model(name)
        return reigns(read_events(model.tags), model.aliases.get(CHAMPION))

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
            whole = Path(download_artifacts(model.artifact_location, dst_path=temporary, tracking_uri=self._uri))
            described = yaml.safe_load((whole / "MLmodel").read_text(encoding="utf-8"))
            (whole / described["flavors"]["python_function"]["data"]).rename(target)
        return folder

    def metrics(self, version: Version) -> dict[str, float]:
        """What was measured of a version, by the names of the run's metrics; empty before it was evaluated."""
        model = found(lambda: self._client.get_logged_model(version.model_id))
        newest = sorted((model.metrics or []) if model else [], key=lambda metric: (metric.timestamp, metric.step))
        return {metric.key: metric.value for metric in newest}

    def params(self, version: Version) -> dict[str, str]:
        """Typed parameters of the run that made a version, flat; empty if the run was deleted."""
        run = found(lambda: self._client.get_run(version.run_id))
        return dict(run.data.params) if run else {}

    def set_tags(self, version: Version, tags: Mapping[str, str]) -> None:
        """Adds tags to a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(self.full_name(version.name), version.version, key, value)

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

    def _announce(self, model: ModelState, kind: Kind, version: str, line: list[str], reason: str) -> None:
        before = model.aliases.get(CHAMPION)
        key, value, _ = new_event(read_events(model.tags), kind, version, before, line, reason)
        self._client.set_registered_model_tag(model.name, key, value)

    def _explain(self, version: Version, kind: Kind, reason: str, evidence: Mapping[str, Any] | None) -> None:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        tags = {_DECISION_TAG: kind, f"{_DECISION_TAG}.reason": reason, f"{_DECISION_TAG}.time": time}
        if evidence is not None:
            tags[f"{_DECISION_TAG}.evidence"] = json.dumps(evidence, sort_keys=True, default=str)
        self.set_tags(version, tags)

    def _end_challenge(self, name: str, version: str) -> None:
        if self._model(name).aliases.get(CHALLENGER) == version:
            self._client.delete_registered_model_alias(self.full_name(name), CHALLENGER)


def _line(events: list[Event], champion: str) -> tuple[str, ...]:
    event = crowning(events, champion)
    return event.line if event else ()
