"""Raw files to clean molecules with a split, and a table of what was refused and why."""

import logging
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.intake.judging import JUDGED, SPLITS, TEST, VAL, judge
from medpipe.molecules.intake.params import IngestSmilesParams
from medpipe.molecules.intake.selecting import Source, select_file, select_moses

SMILES_COLUMNS = {"smiles": "str", "split": "str"}
REJECTED_COLUMNS = {"line": "int64", "text": "str", "code": "str", "reason": "str"}

IntArray = npt.NDArray[np.int64]
_logger = logging.getLogger(__name__)


def ingest(raw: Path, params: IngestSmilesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean, deduplicate and split raw molecules.

    A molecule that is in test is taken out of train, so that nothing leaks; val is a share of train. Files are
    streamed through the workers; what is held grows by the two tables alone.

    Args:
        raw: What ``sources.provide`` gave: a folder with MOSES, or a file.
        params: What is allowed, and the size of the subset.

    Returns:
        Molecules (columns smiles, split) and rejects (columns line, text, code, reason). Lines left out of a subset are
        in neither.

    Raises:
        InputError: Nothing can be read, nothing valid is left, or train or test would be empty.
    """
    sources = select_moses(raw, params) if raw.is_dir() else select_file(raw, params)
    if not any(map(len, sources)):
        raise InputError(f"{raw}: there are no molecules in it; expected one molecule a line or record.")
    judged = _judge(sources, params, by_scaffold=not raw.is_dir() and params.split == "scaffold")
    taken, rejected = _deduplicate(judged, [source.path.name for source in sources])
    if not len(taken):
        raise InputError(
            f"{raw}: none of {len(judged)} lines is a molecule that can be used ({_counts(rejected.code)})."
        )
    smiles = _cap_test(_molecules(judged, taken), params)
    _check_splits(raw, smiles)
    _logger.info("Molecules: %s", _counts(smiles.split))
    if len(rejected):
        _logger.info("Rejected lines: %s", _counts(rejected.code))
    return smiles, rejected


def _judge(sources: list[Source], params: IngestSmilesParams, by_scaffold: bool) -> pa.Table:
    """All lines as columns of ``JUDGED``, those of one split as given together: test, val, train."""
    names_val = any((source.given == VAL).any() for source in sources)
    batches = parallel(
        partial(judge, params=params, by_scaffold=by_scaffold, draw_val=not names_val),
        chain.from_iterable(source.chunks(number) for number, source in enumerate(sources)),
        description=None,
        n_jobs=params.n_jobs,
        total=sum(source.n_chunks for source in sources),
    )
    shown = track(batches, "Cleaning molecules", total=sum(map(len, sources)), size=len)
    return pa.Table.from_batches(shown, schema=JUDGED)


def _deduplicate(judged: pa.Table, files: list[str]) -> tuple[IntArray, pd.DataFrame]:
    """Rows of the first line of each molecule, test before val before train, and everything else with its reason."""
    order = np.argsort(judged["given"].to_numpy(), kind="stable")
    valid = order[judged["smiles"].is_valid().to_numpy()[order]]
    _, first, molecule = np.unique(judged["key"].to_numpy()[valid], return_index=True, return_inverse=True)
    first_row = np.full(len(judged), -1)
    first_row[valid] = valid[first[molecule]]
    refused = order[first_row[order] != order]
    return valid[np.sort(first)], _rejects(judged, refused, first_row, files)


def _rejects(judged: pa.Table, refused: IntArray, first_row: IntArray, files: list[str]) -> pd.DataFrame:
    rows = judged.take(pa.array(refused))
    first = judged.select(["line", "file"]).take(pa.array(np.maximum(first_row[refused], 0)))
    names = pa.array(files, pa.large_string())
    line_of_first = pc.cast(first["line"], pa.large_string())
    same = _join("The same molecule as line ", line_of_first, " of ", names.take(first["file"]), ".")
    columns = {
        "line": rows["line"],
        "text": pc.coalesce(rows["text"], rows["smiles"]),
        "code": pc.coalesce(rows["code"], "duplicate"),
        "reason": _join(names.take(rows["file"]), ": ", pc.coalesce(rows["reason"], same)),
    }
    return pd.DataFrame({name: _to_pandas(column) for name, column in columns.items()}).astype(REJECTED_COLUMNS)


def _join(*parts: Any) -> Any:
    """Columns and words as one column of text."""
    texts = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in (*parts, "")]
    return pc.binary_join_element_wise(*texts)


def _molecules(judged: pa.Table, taken: IntArray) -> pd.DataFrame:
    rows = judged.select(["smiles", "split"]).take(pa.array(taken))
    split = pa.array(SPLITS, pa.large_string()).take(rows["split"])
    return pd.DataFrame({"smiles": _to_pandas(rows["smiles"]), "split": _to_pandas(split)}).astype(SMILES_COLUMNS)


def _to_pandas(column: Any) -> Any:
    """A column as pandas holds it; text stays in Arrow."""
    return pd.array(column, dtype="str") if pa.types.is_large_string(column.type) else column.to_numpy()


def _cap_test(table: pd.DataFrame, params: IngestSmilesParams) -> pd.DataFrame:
    test = np.flatnonzero(table.split == SPLITS[TEST])
    if params.max_test is None or len(test) <= params.max_test:
        return table
    kept = np.ones(len(table), bool)
    kept[np.random.default_rng(params.seed).permutation(test)[params.max_test :]] = False
    return table[kept].reset_index(drop=True)


def _check_splits(raw: Path, smiles: pd.DataFrame) -> None:
    sizes = smiles.split.value_counts()
    for split in ("train", "test"):
        if split not in sizes:
            raise InputError(
                f"{raw}: of {len(smiles)} distinct molecules none is in split {split!r}; give more molecules or "
                "another test_fraction."
            )


def _counts(values: pd.Series) -> str:
    return ", ".join(f"{n:,} {value}" for value, n in values.value_counts().items())
