"""The content fingerprint of any dataset of the catalog."""

from pathlib import Path
from typing import Any

from kedro.io import MemoryDataset

from medpipe.core.fingerprint import digest, digest_path


def dataset_fingerprint(dataset: Any, cache_folder: Path) -> str | None:
    """Digest of what the dataset holds.

    Args:
        dataset: A Kedro dataset: parameters in memory, one with its own ``fingerprint``, or one with a local file.
        cache_folder: Where digests of large files are remembered.

    Returns:
        The digest, or None if there is nothing yet or the content has no defined digest.
    """
    if not dataset.exists():
        return None
    if isinstance(dataset, MemoryDataset):
        try:
            return digest(dataset.load())
        except TypeError:
            return None
    if hasattr(dataset, "fingerprint"):
        return str(dataset.fingerprint(cache_folder))
    path = getattr(dataset, "_filepath", None)
    return digest_path(str(path), cache_folder) if path is not None and Path(str(path)).exists() else None


def persisted(dataset: Any) -> bool:
    """Whether the dataset outlives the run."""
    return not isinstance(dataset, MemoryDataset)
