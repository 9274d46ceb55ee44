"""Properties of the molecules of a file, of any length."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.progress import Progress
from medpipe.molecules.intake.readers import FORMATS, Line, holds_mol_blocks, read_lines
from medpipe.molecules.properties.model import PropertyModel
from medpipe.molecules.table_files import check_format, open_table

_ROWS_A_PART = 20_000


def predict_file(model: PropertyModel, source: Path, target: Path, *, column: str, n_jobs: int = -1) -> int:
    """Predicts part by part; memory does not grow with the length of the file.

    Args:
        model: The model.
        source: CSV, TSV, SMI, text or Parquet, also gzipped.
        target: Parquet or CSV, also gzipped: columns line (1-based line of a text file, row of a Parquet file),
            smiles, and those of `PropertyModel.predict`.
        column: SMILES column, whatever its case.
        n_jobs: Processes that read molecules; -1 is one a core.

    Returns:
        How many molecules there were.

    Raises:
        InputError: A file cannot be read or written as asked.
    """
    check_format(target, columns=True)
    if not source.is_file():
        raise InputError(f"{source}: no such file; expected a file of SMILES strings.")
    if not source.name.lower().endswith(FORMATS) or holds_mol_blocks(source):
        known = ", ".join(name for name in FORMATS if not holds_mol_blocks(Path(name)))
        raise InputError(f"{source}: no known format of SMILES; expected a name that ends in one of {known}.")
    done = 0
    with open_table(target) as write, Progress("Predicting properties") as progress:
        for part in _parts(read_lines(source, column)):
            smiles = [line.text for line in part]
            table = model.predict(smiles, n_jobs, description=None)
            table.insert(0, "smiles", pd.Series(smiles, dtype="str"))
            table.insert(0, "line", [line.number for line in part])
            write(table)
            done += len(part)
            progress.advance(len(part), progress.rate())
        if not done:
            raise InputError(f"{source}: the file holds no molecule; expected one SMILES string a line or row.")
    return done


def _parts(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while part := list(islice(lines, _ROWS_A_PART)):
        yield part
