"""From a table of texts to molecules with targets and a split, and what was refused."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.metrics.validity import read_short
from medpipe.molecules.properties.columns import read_table
from medpipe.molecules.properties.params import UNCERTAINTY, IngestPropertiesParams
from medpipe.molecules.properties.splits import SPLITS, hash_split, random_split, scaffold_split

REJECTED_COLUMNS = {"line": "int64", "text": "str", "code": "str", "reason": "str"}
SHOWN_CHARACTERS = 200
"""So much of a rejected text is kept."""
_MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "-"})
_RESERVED = ("split", "line", "similarity", "in_domain")
"""Columns of tables of molecules and of predictions, which a target of that name would overwrite."""
_NUMBERS_SHARE = 0.5
"""With so many numbers among its values a column is taken for a target, and a text in it for a mistake."""
_FEW = 5  # so few whole numbers may increase by chance
_CHUNK = 500

_logger = logging.getLogger(__name__)


def ingest_properties(path: Path, params: IngestPropertiesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads molecules and their targets, makes them canonical, joins duplicates, and splits.

    Rows of one molecule are joined, so that it is in one split only: numbers become their mean, a class that of most
    rows; where as many say the one as the other, it is unknown.

    Args:
        path: The table.
        params: Columns, tasks, split.

    Returns:
        Columns smiles (canonical, distinct), split, and one a target: float64 for numbers, Int64 for classes, missing
        where unknown. And the rejects: line (row, from 1, without the header), text, code, reason.

    Raises:
        InputError: There is no target, a target holds text, or nothing to learn; a split is empty or unknown.
    """
    raw = read_table(path, params.smiles_column)
    names = _target_names(path, raw, params)
    if taken := [name for name in names if name in (*_RESERVED, *(f"{other}{UNCERTAINTY}" for other in names))]:
        raise InputError(
            f"{path}: column {taken[0]!r} cannot be a target, a column of predictions has that name; name it otherwise."
        )
    values = pd.DataFrame({name: _numbers(path, raw, name) for name in names}, index=raw.index)
    is_class = {name: _is_class(path, values[name], params) for name in names}
    canonical = pd.Series(_canonical(raw["smiles"].tolist(), params.n_jobs), index=raw.index)
    unknown = values.isna().all(axis=1)
    usable = canonical[(canonical != "") & ~unknown]
    table, joined = _join(usable, values, is_class)
    rejected = _rejects(raw["smiles"], canonical, unknown, joined)
    if not len(table):
        raise InputError(f"{path}: none of {len(raw)} rows holds a molecule with a target ({_counts(rejected.code)}).")
    rows = raw.loc[usable.drop_duplicates().index]
    table.insert(1, "split", _split(path, table["smiles"].tolist(), rows, params))
    _check(path, table, is_class)
    _logger.info("Molecules: %s; targets: %s", _counts(table["split"]), ", ".join(names))
    if len(rejected):
        _logger.info("Rows left out or joined: %s", _counts(rejected.code))
    return table, rejected


def _target_names(path: Path, raw: pd.DataFrame, params: IngestPropertiesParams) -> list[str]:
    others = [name for name in raw.columns if name not in ("smiles", params.split_column)]
    if params.targets is not None:
        if missing := [name for name in params.targets if name not in others]:
            raise InputError(f"{path}: no column {missing[0]!r} for targets; there are {', '.join(others[:30])}.")
        return list(params.targets)
    names = []
    for name in others:
        given = raw[name][~raw[name].str.strip().str.lower().isin(_MISSING)]
        numbers = pd.to_numeric(given, errors="coerce")
        if not len(given) or numbers.notna().mean() < _NUMBERS_SHARE:
            continue
        if len(given) > _FEW and (numbers % 1 == 0).all() and numbers.is_monotonic_increasing and numbers.is_unique:
            _logger.info("Column %s counts the rows and is not learnt; name it by targets if it is a property", name)
            continue
        names.append(name)
    if not names:
        raise InputError(
            f"{path}: no column of numbers to learn; there are {', '.join(others[:30]) or 'no others'}. Name the "
            "targets by ingest_properties.targets."
        )
    return names


def _numbers(path: Path, raw: pd.DataFrame, name: str) -> pd.Series:
    texts = raw[name].str.strip()
    texts = texts.mask(texts.str.lower().isin(_MISSING), "")
    numbers = pd.to_numeric(texts.where(texts != ""), errors="coerce").astype("float64")
    wrong = (texts != "") & ~np.isfinite(numbers)
    if wrong.any():
        row = int(texts.index[wrong][0])
        raise InputError(
            f"{path}: column {name!r} holds {texts[row][:40]!r} in row {row}, expected a number, or nothing where it "
            "is unknown. Correct it, or name other targets."
        )
    return numbers


def _is_class(path: Path, values: pd.Series, params: IngestPropertiesParams) -> bool:
    known = values.dropna()
    binary = bool(known.isin([0, 1]).all())
    if params.task == "classification" and not binary:
        row = int(known.index[~known.isin([0, 1])][0])
        raise InputError(
            f"{path}: column {values.name!r} holds {known[row]:g} in row {row}; classes must be 0 and 1 with task "
            "'classification'."
        )
    if known.nunique() < 2:
        what = f"nothing but {known.iloc[0]:g}" if len(known) else "no value"
        raise InputError(f"{path}: column {values.name!r} holds {what}: there is nothing to learn. Leave it out.")
    return binary and params.task != "regression"


def _canonical(texts: Sequence[str], n_jobs: int) -> list[str]:
    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    read = parallel(_canonical_chunk, chunks, n_jobs=n_jobs, description=None)
    return [smiles for chunk in track(read, "Reading molecules", len(texts), size=len) for smiles in chunk]


def _canonical_chunk(texts: Sequence[str]) -> list[str]:
    """Canonical SMILES of each text; empty where it is no molecule."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecules = map(read_short, texts)
        return ["" if mol is None else str(Chem.MolToSmiles(mol)) for mol in molecules]


def _join(
    canonical: pd.Series, values: pd.DataFrame, is_class: dict[str, bool]
) -> tuple[pd.DataFrame, dict[int, tuple[int, str]]]:
    """One row a molecule; and of each row that was joined to another, which, and what it said otherwise."""
    means = values.loc[canonical.index].groupby(canonical, sort=False).mean()
    for name, binary in is_class.items():
        if binary:
            share = means[name]
            means[name] = share.where(share != 0.5).round().astype("Int64")
    row_of: dict[str, int] = {}
    joined: dict[int, tuple[int, str]] = {}
    known = values.to_numpy()
    for row, smiles in zip(canonical.index.tolist(), canonical.tolist(), strict=True):
        first = row_of.setdefault(smiles, row)
        if first != row:
            differs = np.abs(known[row - 1] - known[first - 1]) > 0  # rows are numbered from 1
            joined[row] = (first, ", ".join(values.columns[differs]))
    return means.rename_axis("smiles").reset_index().astype({"smiles": "str"}), joined


def _rejects(
    texts: pd.Series, canonical: pd.Series, unknown: pd.Series, joined: dict[int, tuple[int, str]]
) -> pd.DataFrame:
    rows = []
    columns = (texts.index.tolist(), texts.tolist(), canonical.tolist(), unknown.tolist())
    for row, text, smiles, has_none in zip(*columns, strict=True):
        if not smiles:
            code = "not_parsable" if text else "empty"
            rows.append((row, text, code, "It is no molecule that RDKit can read." if text else "There is no SMILES."))
        elif has_none:
            rows.append((row, text, "no_target", "None of its targets is known."))
        elif row in joined:
            other, differs = joined[row]
            reason = f"The same molecule as row {other}; the two are joined" + (
                f", which differ in {differs}." if differs else "."
            )
            rows.append((row, text, "conflict" if differs else "duplicate", reason))
    table = pd.DataFrame(rows, columns=list(REJECTED_COLUMNS))
    return table.assign(text=table["text"].astype(str).str[:SHOWN_CHARACTERS]).astype(REJECTED_COLUMNS)


def _split(path: Path, smiles: list[str], rows: pd.DataFrame, params: IngestPropertiesParams) -> list[str]:
    if params.split == "hash":
        return hash_split(smiles, params.val_fraction, params.test_fraction, params.seed).tolist()
    if params.split == "random":
        return random_split(len(smiles), params.val_fraction, params.test_fraction, params.seed).tolist()
    if params.split == "scaffold":
        return scaffold_split(smiles, params.val_fraction, params.test_fraction, params.seed).tolist()
    if params.split_column not in rows:
        raise InputError(f"{path}: no column {params.split_column!r}, which split 'column' needs; name split_column.")
    given = rows[params.split_column].str.strip().str.lower()
    if (wrong := ~given.isin(SPLITS)).any():
        row = int(given.index[wrong][0])
        raise InputError(
            f"{path}: column {params.split_column!r} holds {given[row][:40]!r} in row {row}, expected train, val or "
            "test."
        )
    return given.tolist()


def _check(path: Path, table: pd.DataFrame, is_class: dict[str, bool]) -> None:
    for split in SPLITS:
        part = table[table["split"] == split]
        if not len(part):
            raise InputError(
                f"{path}: of {len(table)} distinct molecules none is in split {split!r}; give more molecules or other "
                "fractions."
            )
    train = table[table["split"] == "train"]
    for name, binary in is_class.items():
        if train[name].nunique() < 2:
            values = train[name].dropna().unique().tolist()
            raise InputError(
                f"{path}: column {name!r} holds {values} in the {len(train)} molecules of train, expected "
                f"{'both classes' if binary else 'different numbers'}; choose another split or leave it out."
            )


def _counts(values: pd.Series) -> str:
    return ", ".join(f"{n:,} {value}" for value, n in values.value_counts().items())
