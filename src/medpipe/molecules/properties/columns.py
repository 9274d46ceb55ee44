"""The columns of a table of molecules as text, whatever its format."""

import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.intake.readers import delimiter_of, open_raw, text_lines
from medpipe.molecules.intake.sdf import fields_of, read_records

_TEXT = (".csv", ".tsv", ".smi", ".smiles", ".txt", ".sdf")
FORMATS = (*_TEXT, *(f"{suffix}.gz" for suffix in _TEXT), ".parquet")


def read_table(path: Path, smiles_column: str) -> pd.DataFrame:
    """All columns of a file, as text.

    Args:
        path: A file of one of ``FORMATS``.
        smiles_column: Name of the SMILES column, whatever its case.

    Returns:
        One row a molecule, column ``smiles`` first; the index is the number of the row, from 1, without the header.
        What is missing is empty text.

    Raises:
        InputError: The file cannot be read, is empty, or has no such column.
    """
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith(".sdf"):
            table = _read_sdf(path, smiles_column)
        elif name.endswith(".parquet"):
            table = _as_text(pd.read_parquet(path))
        else:
            table = _read_text(path, name, smiles_column)
    except InputError:
        raise
    except pd.errors.ParserWarning as error:
        raise InputError(
            f"{path}: its rows have more values than its header has names; is there a delimiter at the end of each, or "
            "a comma in its numbers?"
        ) from error
    except (ValueError, OSError) as error:  # pandas' and Arrow's errors are ValueErrors or OSErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable table ({reason}).") from error
    table.columns = [str(column).strip() for column in table.columns]
    if not len(table):
        raise InputError(f"{path}: there are no molecules in it; expected one a row, below a header.")
    found = [column for column in table.columns if column.lower() == smiles_column.lower()]
    if not found:
        known = ", ".join(repr(column[:40]) for column in table.columns[:30])
        raise InputError(
            f"{path}: no column {smiles_column!r}; there are {known}. Name the SMILES column by smiles_column."
        )
    others = table.drop(columns=found)
    others.insert(0, "smiles", table[found[0]].str.strip())
    return others.set_axis(range(1, len(others) + 1))


def _read_text(path: Path, name: str, smiles_column: str) -> pd.DataFrame:
    how: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_filter": False, "encoding_errors": "replace"}
    with open_raw(path) as stream:
        header = stream.readline().decode("utf-8-sig", "replace").rstrip("\r\n")
        if not header.strip():
            raise ValueError("the first line is empty; expected a header")
        if name.endswith((".csv", ".tsv")):
            names = None
            delimiter = delimiter_of(header, smiles_column)
        else:  # SMI: white space between, usually without a header
            words = header.split()
            names = None if "smiles" in map(str.lower, words) else ["smiles", *(f"column_{n}" for n in range(2, 99))]
            names = names and names[: len(words)]
            delimiter = r"\s+"
        stream.seek(0)
        # pandas would take what is too much in each row for an index, and move all columns.
        how |= {"sep": delimiter, "names": names, "encoding": "utf-8-sig", "index_col": False}
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            return pd.read_csv(stream, **how).fillna("")


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers keep their exact value; what is missing is empty."""
    return table.astype(object).map(str).mask(table.isna(), "").astype(str)


def _read_sdf(path: Path, smiles_column: str) -> pd.DataFrame:
    """SMILES of the structures, and their data fields; of a structure that cannot be read, its name."""
    from rdkit import Chem, rdBase

    rows = []
    with open_raw(path) as stream, rdBase.BlockLogs():
        for record in read_records(text_lines(stream)):
            mol = Chem.MolFromMolBlock(record.block)
            name = record.block.partition("\n")[0].strip()
            smiles = f"(unreadable) {name}" if mol is None else Chem.MolToSmiles(mol)  # no SMILES begins with a bracket
            rows.append({**fields_of(record), smiles_column: smiles})
    return pd.DataFrame(rows).fillna("")
