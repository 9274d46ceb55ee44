"""Tables of molecules written to a file part by part: Parquet, CSV or plain SMILES, also gzipped."""

import gzip
import io
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError

TEXT_FORMATS = (".csv", ".smi", ".smiles", ".txt")
FORMATS = (".parquet", *TEXT_FORMATS, *(f"{suffix}.gz" for suffix in TEXT_FORMATS))
ROWS_A_GROUP = 50_000
"""Rows of a Parquet row group: some megabytes, all that is held in memory."""
_PANDAS_ATTRIBUTES = "PANDAS_ATTRS"  # where pandas keeps ``DataFrame.attrs`` in a Parquet file

Write = Callable[[pd.DataFrame], None]


def check_format(path: Path, *, columns: bool) -> None:
    """Whether a table can be written to a file of that name.

    Args:
        path: The file.
        columns: Whether there are more columns than the SMILES, which Parquet and CSV alone can hold.

    Raises:
        InputError: Its ending is not known, or cannot hold the columns.
    """
    known = [name for name in FORMATS if not columns or name.startswith((".parquet", ".csv"))]
    if not path.name.lower().endswith(tuple(known)):
        raise InputError(f"{path}: no known format for this; expected a name that ends in one of {', '.join(known)}.")


@contextmanager
def open_table(path: Path, attributes: Mapping[Hashable | None, Any] | None = None) -> Iterator[Write]:
    """Opens a file for a table that comes in parts; it appears when all is written.

    Args:
        path: Of one of ``FORMATS``.
        attributes: What travels with the table, in Parquet alone: pandas gives it back as ``DataFrame.attrs``.

    Yields:
        Writes the next rows; all parts have the same columns.
    """
    with atomic_path(path) as temporary, ExitStack() as stack:
        if path.name.lower().endswith(".parquet"):
            yield stack.enter_context(_parquet(temporary, attributes or {}))
        else:
            yield _text(stack.enter_context(_open_text(path, temporary)), path)


@contextmanager
def _parquet(path: Path, attributes: Mapping[Hashable | None, Any]) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    writer: Any = None
    waiting: list[pd.DataFrame] = []

    def flush() -> None:
        nonlocal writer
        rows = pa.Table.from_pandas(pd.concat(waiting, ignore_index=True), preserve_index=False)
        if writer is None:
            schema = rows.schema.with_metadata({_PANDAS_ATTRIBUTES: json.dumps(dict(attributes))})
            writer = ParquetWriter(path, schema, compression="zstd")
        writer.write_table(rows.cast(writer.schema))
        waiting.clear()

    def write(part: pd.DataFrame) -> None:
        waiting.append(part)
        if sum(map(len, waiting)) >= ROWS_A_GROUP:
            flush()

    try:
        yield write
        if waiting:
            flush()
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _open_text(path: Path, temporary: Path) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        binary: IO[bytes] = stack.enter_context(temporary.open("wb"))
        if path.name.lower().endswith(".gz"):
            packed = gzip.GzipFile("", "wb", fileobj=binary, mtime=0)  # the same molecules make the same file
            binary = cast(IO[bytes], stack.enter_context(packed))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


def _text(stream: IO[str], path: Path) -> Write:
    if path.name.lower().removesuffix(".gz").endswith(".csv"):
        first = True

        def write_rows(part: pd.DataFrame) -> None:
            nonlocal first
            part.to_csv(stream, index=False, header=first, lineterminator="\n")
            first = False

        return write_rows

    def write_smiles(part: pd.DataFrame) -> None:
        stream.writelines(f"{smiles}\n" for smiles in part["smiles"])

    return write_smiles
