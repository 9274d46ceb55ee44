"""A folder that a node works in."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from medpipe.core.fingerprint import digest


class WorkFolderDataset(AbstractDataset):
    """Tells a node where to write what is too large to return, or what lets a killed run go on.

    What lies in the folder is no input of the node: its fingerprint is always the same.

    Args:
        filepath: The folder; made when it is missing.
        metadata: Not used by Kedro.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder, which exists."""
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: Any) -> None:
        """Nodes write into the folder, never the catalog.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{self._filepath} is a place to work in; no node's output is saved there")

    def fingerprint(self, cache_folder: Path | None = None) -> str:
        """The same for every content."""
        return digest("work folder")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
