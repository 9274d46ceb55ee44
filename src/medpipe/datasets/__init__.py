"""Dataset types of the catalog: what the library reads and writes, as Kedro sees it.

Each is imported when it is asked for: only those of figures need Matplotlib.
"""

import importlib
from typing import Any

_PLACES = {
    "CheckpointDataset": "checkpoint",
    "FigureDataset": "figure",
    "MetricsDataset": "files",
    "PageDataset": "files",
    "PathDataset": "path",
    "RecordDataset": "files",
    "StoreDataset": "store",
    "StreamedTableDataset": "files",
    "TableDataset": "files",
    "WorkFolderDataset": "work",
}
"""In which module each type lies."""

__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
