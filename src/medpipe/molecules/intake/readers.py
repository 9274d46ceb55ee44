"""Raw molecules out of CSV, TSV, SMI, SDF and Parquet files, as they are: nothing is judged here.

Files are streamed. Whatever bytes one holds, a line comes back as text: bad UTF-8 as replacement characters, an endless
line cut.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from medpipe.core.errors import InputError
from medpipe.molecules.intake.sdf import field_of, read_records

TABLE_FORMATS = (".csv", ".tsv")
TEXT_FORMATS = (*TABLE_FORMATS, ".smi", ".smiles", ".txt", ".sdf", ".sd")
FORMATS = (*TEXT_FORMATS, *(f"{suffix}.gz" for suffix in TEXT_FORMATS), ".parquet")
MAX_LINE_CHARACTERS = 100_000
"""A line is cut here: no molecule is that long, and a broken file must not fill the table of rejects."""
_DELIMITERS = ",;\t"
_NOT_TEXT = {
    codecs.BOM_UTF16_LE: "UTF-16 text",
    codecs.BOM_UTF16_BE: "UTF-16 text",
    b"\x1f\x8b": "compressed by gzip, which its name does not say (.gz)",
    b"PK\x03\x04": "a ZIP archive (such as a workbook)",
}
"""How files begin that would be read as one bad line after another."""


class Line(NamedTuple):
    """A raw molecule.

    Attributes:
        number: 1-based line of a text file, row of a Parquet file, record of an SDF file.
        text: SMILES as it stood there; of an SDF file the mol block.
        split: What the split column holds; empty where none is asked for.
    """

    number: int
    text: str
    split: str = ""


def holds_mol_blocks(path: Path) -> bool:
    """Whether a file's molecules are mol blocks, not SMILES."""
    return path.name.lower().removesuffix(".gz").endswith((".sdf", ".sd"))


def read_lines(path: Path, column: str, split_column: str | None = None) -> Iterator[Line]:
    """Yield the molecules of a file.

    Args:
        path: A file of one of ``FORMATS``.
        column: Name of the SMILES column, whatever its case; an SMI or SDF file needs none.
        split_column: Name of the column with the split, whatever its case; of an SDF file the data field.

    Raises:
        InputError: A column is not there (the message says which are) or the file cannot be read.
    """
    name = path.name.lower().removesuffix(".gz")
    columns = [column] if split_column is None else [column, split_column]
    if name.endswith(".parquet"):
        yield from _read_parquet(path, columns)
        return
    with open_raw(path) as stream:
        lines = text_lines(stream)
        if name.endswith(TABLE_FORMATS):
            yield from _read_table(path, lines, columns)
        elif holds_mol_blocks(path):
            for record in read_records(lines):
                split = "" if split_column is None else field_of(record, split_column)
                yield Line(record.number, record.block, split)
        elif split_column is None:
            yield from _read_smi(lines)
        else:
            raise InputError(f"{path}: an SMI file has no column {split_column!r}; give CSV, TSV, SDF or Parquet.")


@contextmanager
def open_raw(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file of text, decompressed where its name ends in ``.gz``.

    Raises:
        InputError: It is damaged, or begins as something else than UTF-8 text does.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            start = stream.peek(max(map(len, _NOT_TEXT)))
            if what := next((what for mark, what in _NOT_TEXT.items() if start.startswith(mark)), None):
                raise InputError(f"{path}: it is {what}, expected UTF-8 text; write or name it anew.")
            yield cast(IO[bytes], stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable gzip file ({error}); fetch or write it again.") from error


def text_lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines as text, the byte-order mark gone; no more of an endless line than is kept is ever held."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
    while line := text.readline(MAX_LINE_CHARACTERS):
        if len(line) < MAX_LINE_CHARACTERS or line.endswith("\n"):
            yield line
            continue
        # An open quotation mark would swallow the lines below.
        yield line.replace('"', "") + "\n"
        while (rest := text.readline(MAX_LINE_CHARACTERS)) and not rest.endswith("\n"):
            pass


def _read_smi(lines: Iterator[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        words = line.split(maxsplit=1)
        if number == 1 and words and words[0].lower() == "smiles":
            continue
        yield Line(number, words[0] if words else "")


def _read_table(path: Path, lines: Iterator[str], columns: list[str]) -> Iterator[Line]:
    header = next(lines, "")
    delimiter = delimiter_of(header, columns[0])
    names = _names(header, delimiter)
    indices = [_find_column(path, names, column) for column in columns]
    csv.field_size_limit(10 * MAX_LINE_CHARACTERS)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        for row in rows:
            yield Line(rows.line_num + 1, *(row[index] if index < len(row) else "" for index in indices))
    except csv.Error as error:
        raise InputError(
            f"{path}: line {rows.line_num + 1} cannot be read ({error}); is a quotation mark left open above it?"
        ) from error


def delimiter_of(header: str, column: str) -> str:
    """What stands between the columns of a header: the most frequent delimiter of those that make ``column`` one."""
    by_count = sorted(_DELIMITERS, key=header.count, reverse=True)
    named = (one for one in by_count if column.lower() in _lowered(_names(header, one)))
    return next(named, by_count[0])


def _names(header: str, delimiter: str) -> list[str]:
    return next(csv.reader([header], delimiter=delimiter), [])


def _lowered(names: list[str]) -> list[str]:
    return [name.strip().lower() for name in names]


def _find_column(path: Path, names: list[str], column: str) -> int:
    if not names:
        raise InputError(f"{path}: the file is empty; expected a header with a column {column!r}, and molecules.")
    lowered = _lowered(names)
    if column.lower() not in lowered:
        known = ", ".join(repr(name.strip()[:40]) for name in names[:30])
        raise InputError(
            f"{path}: no column {column!r}; there are {known}. Name it in parameter column (SMILES) or split_column."
        )
    return lowered.index(column.lower())


def _read_parquet(path: Path, columns: list[str]) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [file.schema_arrow.names[_find_column(path, file.schema_arrow.names, one)] for one in columns]
            for name in names:
                kind = file.schema_arrow.field(name).type
                text = kind.value_type if pa.types.is_dictionary(kind) else kind
                if not (pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text)):
                    raise InputError(f"{path}: column {name!r} holds {kind}, expected text.")
            number = 0
            for batch in file.iter_batches(columns=names):
                # As bytes: text that is no UTF-8 would stop the reading.
                raw_rows = zip(*(batch.column(name).cast(pa.large_binary()).to_pylist() for name in names), strict=True)
                for row in raw_rows:
                    number += 1
                    yield Line(number, *((raw or b"")[:MAX_LINE_CHARACTERS].decode(errors="replace") for raw in row))
    except (pa.ArrowException, OSError) as error:  # damaged pages are OSErrors
        raise InputError(f"{path}: not a readable Parquet file ({error}).") from error
