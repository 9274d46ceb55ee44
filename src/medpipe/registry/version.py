"""A registered model and its versions, as everybody above sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: Of the catalog entry, without the prefix of the environment.
        version: Number, from "1"; never given twice.
        run_id: MLflow run that made it.
        created: When it was registered (UTC).
        aliases: Such as champion or challenger.
        tags: Data, code and decisions, see docs/registry.md.
        source: ``models:/<id>`` of the logged model.
        status: MLflow's: READY, PENDING_REGISTRATION or FAILED_REGISTRATION.
    """

    name: str
    version: str
    run_id: str
    created: datetime
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    source: str
    status: str

    @property
    def model_id(self) -> str:
        """Identifier of the logged model behind it."""
        return self.source.removeprefix("models:/")


class ModelState(NamedTuple):
    """What MLflow holds of a registered model.

    Attributes:
        name: In MLflow, with its prefix.
        tags: Name, and events.
        aliases: Alias to number of the version.
    """

    name: str
    tags: Mapping[str, str]
    aliases: Mapping[str, str]


def version_of(found: Any, name: str, aliases: Mapping[str, str]) -> Version:
    """A version from MLflow's.

    Args:
        found: MLflow's ``ModelVersion``.
        name: Name without prefix.
        aliases: All of the model, alias to version.
    """
    number = str(found.version)
    return Version(
        name=name,
        version=number,
        run_id=found.run_id or "",
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
        tags=dict(found.tags),
        source=found.source or "",
        status=str(found.status),
    )
