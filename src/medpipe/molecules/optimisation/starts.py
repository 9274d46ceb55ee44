"""Molecules to start from."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.molecules.optimisation.params import StartParams
from medpipe.molecules.optimisation.scoring import Scorer

START_COLUMNS = {"smiles": "str", "score": "float64"}

_logger = logging.getLogger(__name__)


def choose_starts(params: StartParams, scorer: Scorer, smiles: pd.DataFrame) -> pd.DataFrame:
    """The molecules to start from, canonical, none twice, worst first.

    Args:
        params: Where they come from.
        scorer: Says how good they are.
        smiles: Columns smiles, split; read with kind ``test`` alone.

    Returns:
        Columns smiles, score; no row from scratch.

    Raises:
        InputError: The file is not there or holds no molecule, or the test split is empty.
    """
    if params.kind == "scratch":
        return pd.DataFrame(columns=list(START_COLUMNS)).astype(START_COLUMNS)
    given = _of_file(params) if params.kind == "file" else _of_test(params, smiles)
    scores = scorer.score(given)
    table = pd.DataFrame({"smiles": scores.smiles, "score": scores.total})
    table = table[table["smiles"] != ""].drop_duplicates("smiles")
    if lost := len(given) - len(table):
        _logger.warning("Starts: %d of %d are no molecules or repeat one and are left out.", lost, len(given))
    if table.empty:
        raise InputError(f"{params.path}: none of its {len(given)} lines is a molecule to start from.")
    return table.sort_values("score", kind="stable").head(params.n).reset_index(drop=True).astype(START_COLUMNS)


def _of_file(params: StartParams) -> list[str]:
    from medpipe.molecules.intake.readers import FORMATS, holds_mol_blocks, read_lines

    path = Path(str(params.path)).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the molecules to start from by optimise_start.path.")
    if holds_mol_blocks(path) or not path.name.lower().endswith(FORMATS):
        raise InputError(f"{path}: expected a SMILES file (CSV, TSV, SMI or Parquet, gzip too).")
    return [line.text for line in read_lines(path, params.column)]


def _of_test(params: StartParams, smiles: pd.DataFrame) -> list[str]:
    test = smiles.loc[smiles["split"] == "test", "smiles"].to_numpy()
    if not len(test):
        raise InputError(
            "smiles: no molecule is in split 'test'; give a file by optimise_start.kind=file and its path."
        )
    drawn = np.random.default_rng(params.seed).permutation(len(test))[: params.among]
    return [str(test[i]) for i in drawn]
