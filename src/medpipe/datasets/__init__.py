"""Dataset types of the catalog: what the library reads and writes, as Kedro sees it."""

from medpipe.datasets.checkpoint import CheckpointDataset
from medpipe.datasets.files import (
    FigureDataset,
    MetricsDataset,
    PageDataset,
    RecordDataset,
    StreamedTableDataset,
    TableDataset,
)
from medpipe.datasets.path import PathDataset
from medpipe.datasets.store import StoreDataset
from medpipe.datasets.work import WorkFolderDataset

__all__ = [
    "CheckpointDataset",
    "FigureDataset",
    "MetricsDataset",
    "PageDataset",
    "PathDataset",
    "RecordDataset",
    "StoreDataset",
    "StreamedTableDataset",
    "TableDataset",
    "WorkFolderDataset",
]
