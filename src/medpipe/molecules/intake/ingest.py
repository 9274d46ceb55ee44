"""Raw files to clean molecules with a split, and a table of what was refused and why."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.molecules.intake.cleaning import SHOWN_CHARACTERS, Verdict, clean_many
from medpipe.molecules.intake.params import IngestSmilesParams
from medpipe.molecules.intake.readers import NumberedLine, read_lines

SMILES_COLUMNS = {"smiles": "str", "split": "str"}
REJECTED_COLUMNS = {"line": "int64", "text": "str", "code": "str", "reason": "str"}
_SHARD_SIZE = 2000
_MOSES_COLUMN = "SMILES"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Raw:
    """A line before it is judged; ``split`` is empty where the file does not say."""

    line: int
    text: str
    split: str
    file: str


def ingest(raw: Path, params: IngestSmilesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean, deduplicate and split raw molecules.

    A molecule that is in test is taken out of train, so that nothing leaks; val is a share of train.

    Args:
        raw: What ``sources.provide`` gave: a folder with MOSES, or a file.
        params: What is allowed, and the size of the subset.

    Returns:
        Molecules (columns smiles, split) and rejects (columns line, text, code, reason). Lines left out of a subset are
        in neither.

    Raises:
        InputError: Nothing can be read, nothing valid is left, or train or test would be empty.
    """
    lines = _read_moses(raw, params) if raw.is_dir() else _read_file(raw, params)
    if not lines:
        raise InputError(f"{raw}: there are no molecules in it; expected one SMILES a line.")
    own_split = not raw.is_dir()
    verdicts = _judge(lines, params, with_scaffold=own_split and params.split == "scaffold")
    taken, rejected = _deduplicate(lines, verdicts)
    if not taken:
        codes = ", ".join(f"{code}: {n}" for code, n in Counter(rejected.code).most_common())
        raise InputError(f"{raw}: none of {len(lines)} lines is a molecule that can be used ({codes}).")
    smiles = _split(taken, params)
    _check_splits(raw, smiles)
    _report(smiles, rejected)
    return smiles, rejected


def _read_moses(folder: Path, params: IngestSmilesParams) -> list[_Raw]:
    test = list(read_lines(folder / "test.csv.gz", _MOSES_COLUMN))
    kept_out = {text for _, text in test}
    kept_out.update(text for _, text in read_lines(folder / "test_scaffolds.csv.gz", _MOSES_COLUMN))
    train = [line for line in read_lines(folder / "train.csv.gz", _MOSES_COLUMN) if line[1] not in kept_out]
    test, train = _subset(test, params.max_test, params.seed), _subset(train, params.max_train, params.seed)
    taken = [_Raw(number, text, "test", "test.csv.gz") for number, text in test]
    return taken + [_Raw(number, text, "train", "train.csv.gz") for number, text in train]


def _read_file(path: Path, params: IngestSmilesParams) -> list[_Raw]:
    lines = list(read_lines(path, params.column))
    if params.max_train is not None:
        lines = _subset(lines, round(params.max_train / (1 - params.test_fraction)), params.seed)
    return [_Raw(number, text, "", path.name) for number, text in lines]


def _subset(lines: list[NumberedLine], n: int | None, seed: int) -> list[NumberedLine]:
    if n is None or n >= len(lines):
        return lines
    chosen = np.random.default_rng(seed).permutation(len(lines))[:n]
    return [lines[i] for i in np.sort(chosen)]


def _judge(lines: list[_Raw], params: IngestSmilesParams, with_scaffold: bool) -> list[Verdict]:
    texts = [line.text for line in lines]
    shards = [texts[i : i + _SHARD_SIZE] for i in range(0, len(texts), _SHARD_SIZE)]
    judge = partial(clean_many, params=params, with_scaffold=with_scaffold)
    return list(chain.from_iterable(parallel(judge, shards, n_jobs=params.n_jobs, description="Reading molecules")))


def _deduplicate(lines: list[_Raw], verdicts: list[Verdict]) -> tuple[dict[str, tuple[_Raw, Verdict]], pd.DataFrame]:
    """The first line of each molecule, test before train; everything else with its reason."""
    taken: dict[str, tuple[_Raw, Verdict]] = {}
    rejected: list[tuple[int, str, str, str]] = []
    for line, verdict in sorted(zip(lines, verdicts, strict=True), key=lambda pair: pair[0].split != "test"):
        code, reason = verdict.code, verdict.reason
        if not code and verdict.smiles in taken:
            first = taken[verdict.smiles][0]
            code, reason = "duplicate", f"The same molecule as line {first.line} of {first.file}."
        if code:
            rejected.append((line.line, line.text[:SHOWN_CHARACTERS], code, f"{line.file}: {reason}"))
        else:
            taken[verdict.smiles] = (line, verdict)
    return taken, pd.DataFrame(rejected, columns=list(REJECTED_COLUMNS)).astype(REJECTED_COLUMNS)


def _split(taken: dict[str, tuple[_Raw, Verdict]], params: IngestSmilesParams) -> pd.DataFrame:
    """Each molecule's split; by hash, so that a molecule keeps its split when others are added."""
    splits = []
    for smiles, (line, verdict) in taken.items():
        split = line.split
        if not split:
            group = verdict.scaffold if params.split == "scaffold" else smiles
            split = "test" if _chance(f"test/{group}", params.seed) < params.test_fraction else "train"
        if split == "train" and _chance(f"val/{smiles}", params.seed) < params.val_fraction:
            split = "val"
        splits.append(split)
    table = pd.DataFrame({"smiles": list(taken), "split": splits}).astype(SMILES_COLUMNS)
    return _cap_test(table, params)


def _cap_test(table: pd.DataFrame, params: IngestSmilesParams) -> pd.DataFrame:
    test = np.flatnonzero(table.split == "test")
    if params.max_test is None or len(test) <= params.max_test:
        return table
    surplus = np.random.default_rng(params.seed).permutation(test)[params.max_test :]
    return table.drop(index=surplus.tolist()).reset_index(drop=True)


def _chance(text: str, seed: int) -> float:
    """A number in [0, 1) that belongs to ``text``."""
    value = hashlib.blake2b(f"{seed}/{text}".encode(), digest_size=8).digest()
    return int.from_bytes(value, "big") / 2**64


def _check_splits(raw: Path, smiles: pd.DataFrame) -> None:
    sizes = smiles.split.value_counts()
    for split in ("train", "test"):
        if split not in sizes:
            raise InputError(
                f"{raw}: of {len(smiles)} distinct molecules none is in split {split!r}; give more molecules or "
                "another test_fraction."
            )


def _report(smiles: pd.DataFrame, rejected: pd.DataFrame) -> None:
    _logger.info("Molecules: %s", _counts(smiles.split))
    if len(rejected):
        _logger.info("Rejected lines: %s", _counts(rejected.code))


def _counts(values: Iterable[str]) -> str:
    return ", ".join(f"{n:,} {value}" for value, n in Counter(values).most_common())
