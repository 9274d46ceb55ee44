"""A place on disk that a node found or made, such as a folder of raw scans."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from medpipe.core.atomic import write_json
from medpipe.core.fingerprint import digest_path


class PathDataset(AbstractDataset):
    """Remembers a path; the files stay where they are.

    Its fingerprint is that of the files at that path, so new or changed files make the nodes behind it run again.

    Args:
        filepath: A small JSON file that holds the path.
        metadata: Not used by Kedro.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The path that was saved."""
        return Path(json.loads(self._filepath.read_text(encoding="utf-8"))["path"])

    def save(self, data: Path) -> None:
        """Remembers the path."""
        write_json(self._filepath, {"path": str(data.absolute())})

    def fingerprint(self, cache_folder: Path | None = None) -> str:
        """Digest of all files at the path."""
        return digest_path(self.load.__wrapped__(self), cache_folder)  # type: ignore[attr-defined]

    def _exists(self) -> bool:
        return self._filepath.exists() and self.load.__wrapped__(self).exists()  # type: ignore[attr-defined]

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
