"""Trained models with their versions and aliases, in MLflow's model registry.

All state lies in MLflow. Who is champion is said by one alias, which MLflow moves in one transaction: there is one
champion or none, whatever is killed when. Every change is announced by an event first (`medpipe.registry.events`), then
the alias moves, then what only explains is written; whoever tries again after a kill finds the rest to do.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.core.imports import without_collection
from medpipe.registry.database import make_database
from medpipe.registry.events import Event, Kind, Reign, crowning, new_event, read_events, reigns
from medpipe.registry.params import MLflowParams
from medpipe.registry.passwords import hide_passwords
from medpipe.registry.store import CHALLENGER, CHAMPION, ModelStore
from medpipe.registry.version import ModelState, Version

_DECISION_TAG = "decision"


class ChampionChangedError(InputError):
    """Another version became champion since the decision was made; it is void."""


@without_collection()
def open_registry(project: Path, params: MLflowParams, env: str | None = None) -> "Registry":
    """The registry of the tracking store that ``mlflow.yml`` names; a SQLite database is made where there is none.

    Args:
        project: Folder of the project.
        params: Content of ``mlflow.yml``.
        env: Kedro environment, for the prefix of the models' names.

    Raises:
        InputError: MLflow cannot use the tracking uri, or would show its password; the message does not.
    """
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its log lines go the way of all others
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = params.store_uri(project)
    if uri.startswith("http") and uri != hide_passwords(uri):
        raise InputError(
            f"mlflow.yml: tracking_uri is {hide_passwords(uri)!r}: MLflow prints the address of a server, so it must "
            "hold no password; put user and password into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
        )
    try:
        make_database(uri)
        return Registry(uri, params.prefix(env))
    except (MlflowException, SQLAlchemyError, ImportError) as error:
        reason = hide_passwords(str(error).replace(uri, hide_passwords(uri)))
    raise InputError(f"mlflow.yml: tracking_uri is {hide_passwords(uri)!r}, which MLflow cannot use: {reason}")


class Registry(ModelStore):
    """Registered models, and what is decided on their versions."""

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
