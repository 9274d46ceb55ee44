"""kedro-datasets' Parquet, JSON and text datasets, written atomically: a killed run leaves no half file."""

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets._typing import TablePreview
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import ParquetDataset
from kedro_datasets.text import TextDataset

from medpipe.core.atomic import atomic_path

PREVIEW_ROWS = 20
HIDDEN_COLUMNS = frozenset({"patient_id", "source_patient_id", "source_series_uid", "path", "sample", "file_at_fault"})
"""Never shown in a preview: they may tell who a patient is."""


class Atomic:
    """Mixin that has the dataset below it write to a temporary name, which is then renamed."""

    _filepath: PurePosixPath
    _protocol: str

    def save(self, data: Any) -> None:
        """Saves ``data``; remote file systems replace objects atomically by themselves."""
        save = super().save.__wrapped__  # type: ignore[misc] # the dataset's own, without Kedro's log lines a second time
        if self._protocol != "file":
            save(self, data)
            return
        target = self._filepath
        with atomic_path(Path(target)) as temporary:
            self._filepath = PurePosixPath(temporary)
            try:
                save(self, data)
            finally:
                self._filepath = target


class TableDataset(Atomic, ParquetDataset):
    """A table as one Parquet file."""

    def preview(self, nrows: int = PREVIEW_ROWS) -> TablePreview:
        """First rows for Kedro-Viz, with missing values as empty text and without what may identify a patient."""
        table = self.load.__wrapped__(self).head(nrows).drop(columns=list(HIDDEN_COLUMNS), errors="ignore")
        return TablePreview(table.astype(object).where(table.notna(), "").to_dict(orient="split"))


class StreamedTableDataset(TableDataset):
    """A table as one Parquet file that a node wrote piece by piece, because it may be larger than memory.

    The node returns the path of the file, which is moved here; loading gives a data frame. A validator can look at it
    on loading only (``on: load``).
    """

    def save(self, data: Path) -> None:
        """Moves the file."""
        target = Path(self._filepath)
        with atomic_path(target) as temporary:
            shutil.move(data, temporary)

    def preview(self, nrows: int = PREVIEW_ROWS) -> TablePreview:
        """First rows for Kedro-Viz; no more is read."""
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self._filepath) as file:
            first = next(file.iter_batches(batch_size=nrows), None)
        rows = first.to_pandas() if first is not None else self.load.__wrapped__(self)
        return TablePreview(rows.astype(object).where(rows.notna(), "").to_dict(orient="split"))


class PageDataset(Atomic, TextDataset):
    """A self-contained HTML page."""


class RecordDataset(Atomic, JSONDataset):
    """A nested record, such as a decision with its reasons, as JSON."""


class MetricsDataset(Atomic, JSONDataset):
    """A flat dictionary, name to number, as JSON."""

    def preview(self) -> TablePreview:
        """Names and values for Kedro-Viz."""
        metrics = self.load.__wrapped__(self)
        rows = [[name, _readable(value)] for name, value in metrics.items()]
        return TablePreview({"index": list(range(len(rows))), "columns": ["metric", "value"], "data": rows})


def _readable(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
