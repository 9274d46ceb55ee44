"""Lines of SMILES out of CSV, TSV, SMI and Parquet files, as they are: nothing is judged here.

Whatever bytes a file holds, a line comes back as text: bad UTF-8 as replacement characters, an endless line cut.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from medpipe.core.errors import InputError

TEXT_FORMATS = (".csv", ".tsv", ".smi", ".smiles", ".txt")
FORMATS = (*TEXT_FORMATS, *(f"{suffix}.gz" for suffix in TEXT_FORMATS), ".parquet")
MAX_LINE_CHARACTERS = 100_000
"""A line is cut here: no molecule is that long, and a broken file must not fill the table of rejects."""
_DELIMITERS = ",;\t"

NumberedLine = tuple[int, str]


def read_lines(path: Path, column: str) -> Iterator[NumberedLine]:
    """Yield (line, text) of each molecule: 1-based line of a text file, row of a Parquet file.

    Args:
        path: A file of one of ``FORMATS``.
        column: Name of the SMILES column, whatever its case; an SMI file needs none.

    Raises:
        InputError: The column is not there (the message says which are) or the file cannot be read.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _read_parquet(path, column)
        return
    try:
        with _open(path) as stream:
            if name.endswith((".csv", ".tsv")):
                yield from _read_csv(path, _text_lines(stream), column)
            else:
                yield from _read_smi(_text_lines(stream))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable gzip file ({error}); fetch or write it again.") from error


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _text_lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines as text, the byte-order mark gone."""
    for line in io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace"):
        if len(line) <= MAX_LINE_CHARACTERS:
            yield line
        else:
            # An open quotation mark would swallow the lines below.
            yield line[:MAX_LINE_CHARACTERS].replace('"', "") + "\n"


def _read_smi(lines: Iterator[str]) -> Iterator[NumberedLine]:
    for number, line in enumerate(lines, 1):
        words = line.split(maxsplit=1)
        if number == 1 and words and words[0].lower() == "smiles":
            continue
        yield number, words[0] if words else ""


def _read_csv(path: Path, lines: Iterator[str], column: str) -> Iterator[NumberedLine]:
    header = next(lines, "")
    delimiter = max(_DELIMITERS, key=header.count)
    names = next(csv.reader([header], delimiter=delimiter), [])
    index = _find_column(path, names, column)
    csv.field_size_limit(10 * MAX_LINE_CHARACTERS)
    rows = csv.reader(lines, delimiter=delimiter)
    for row in rows:
        yield rows.line_num + 1, row[index] if index < len(row) else ""


def _find_column(path: Path, names: list[str], column: str) -> int:
    if not names:
        raise InputError(f"{path}: the file is empty; expected a header with a column {column!r}, and molecules.")
    lowered = [name.strip().lower() for name in names]
    if column.lower() not in lowered:
        known = ", ".join(repr(name.strip()[:40]) for name in names[:30])
        raise InputError(
            f"{path}: no column {column!r}; there are {known}. Name the SMILES column in parameter column."
        )
    return lowered.index(column.lower())


def _read_parquet(path: Path, column: str) -> Iterator[NumberedLine]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            name = names[_find_column(path, names, column)]
            kind = file.schema_arrow.field(name).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise InputError(f"{path}: column {name!r} holds {kind}, expected text (SMILES).")
            number = 0
            for batch in file.iter_batches(columns=[name]):
                for text in batch.column(0).to_pylist():
                    number += 1
                    yield number, (text or "")[:MAX_LINE_CHARACTERS]
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}).") from error
