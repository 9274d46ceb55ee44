"""Array stores (scans, tokens): folders that a library class reads lazily."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro.utils import load_obj


class StoreDataset(AbstractDataset):
    """A folder that is opened by a class of the library, such as ``medpipe.ct.store.ScanStore``.

    The node that makes a store writes into the folder item by item, so that a killed run goes on and memory stays flat;
    what it returns is the open store, and saving checks that it is the one of this entry.

    Args:
        filepath: The folder.
        store: Full name of the class; it takes the folder and has ``folder`` and ``fingerprint()``.
        metadata: Not used by Kedro.
    """

    def __init__(self, *, filepath: str, store: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._store = store
        self.metadata = metadata

    def load(self) -> Any:
        """Opens the store."""
        return load_obj(self._store)(self._filepath)

    def save(self, data: Any) -> None:
        """Checks that what the node wrote lies where this entry looks for it."""
        if Path(data.folder).resolve() != self._filepath.resolve():
            raise ValueError(f"the store lies in {data.folder}, the catalog expects it in {self._filepath}")

    def fingerprint(self, cache_folder: Path | None = None) -> str:
        """The store's own fingerprint of its content."""
        return str(self.load.__wrapped__(self).fingerprint())  # type: ignore[attr-defined]

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "store": self._store}
