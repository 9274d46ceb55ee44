"""Finished generations of a search on disk, so that a killed one goes on where it was."""

import shutil
from pathlib import Path

import pandas as pd

from medpipe.core.atomic import atomic_path


class Journal:
    """One Parquet file a generation, in a folder of this search alone.

    Args:
        folder: Where searches are kept; what lies there of another search is removed.
        key: Digest of all that the search depends on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder / f"generations-{key[:16]}"
        for other in folder.glob("generations-*"):
            if other != self._folder:
                shutil.rmtree(other)

    def recall(self, step: int) -> pd.DataFrame | None:
        """What ``write`` kept; None if the search has not come so far."""
        file = self._file(step)
        return pd.read_parquet(file) if file.exists() else None

    def write(self, step: int, rows: pd.DataFrame) -> None:
        """Keeps a generation."""
        with atomic_path(self._file(step)) as temporary:
            rows.to_parquet(temporary, index=False)

    def close(self) -> None:
        """Forgets the search, which is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, step: int) -> Path:
        return self._folder / f"{step:06d}.parquet"
