"""Comma-separated tables that must have certain columns."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError


def read_csv(file: Path, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
    """A table that must have certain columns.

    Args:
        file: Comma-separated, with a header line.
        columns: Columns that must be there; those not in ``text`` must hold numbers.
        text: Columns read as text (series uids look like numbers and must not become any).

    Raises:
        InputError: If a column is missing, a text is empty or a value is no number; the message names file and column,
            and not the folder, which may be named after a patient.
    """
    try:
        table = pd.read_csv(file, dtype=dict.fromkeys(text, "str"), skipinitialspace=True)
    except OSError as error:
        raise InputError(f"{file.name}: cannot be opened: {error.strerror}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name}: not a comma-separated table: {error}") from error
    if missing := [name for name in columns if name not in table.columns]:
        raise InputError(
            f"{file.name}: column {missing[0]!r} is missing; columns {', '.join(columns)} are expected, "
            f"found {', '.join(map(str, table.columns))}"
        )
    for name in columns:
        if name in text and (empty := table[name].isna()).any():
            line = int(empty.to_numpy().argmax()) + 2  # as an editor counts, below the header
            raise InputError(f"{file.name}: column {name!r} holds nothing in line {line}")
        if name not in text and not pd.api.types.is_numeric_dtype(table[name]):
            bad = table.loc[pd.to_numeric(table[name], errors="coerce").isna(), name]
            raise InputError(f"{file.name}: column {name!r} holds {bad.iloc[0]!r}, a number is expected")
    return table


def read_patients(files: Sequence[Path]) -> dict[str, str]:
    """Series uid to patient id, from every ``patients.csv`` (``series_uid,patient_id``).

    Args:
        files: All files of the raw folder.

    Raises:
        InputError: If a table lacks a column.
    """
    columns = ("series_uid", "patient_id")
    tables = [read_csv(file, columns, text=columns) for file in files if file.name == "patients.csv"]
    return {
        uid: patient for table in tables for uid, patient in zip(table["series_uid"], table["patient_id"], strict=True)
    }
