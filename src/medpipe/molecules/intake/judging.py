"""Raw lines to columns: what workers do with a chunk, and what is kept of it.

Millions of lines are held as Arrow columns, tens of bytes each, never as Python objects.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from medpipe.molecules.chance import chance, hash_of
from medpipe.molecules.intake.cleaning import Form, Verdict, clean_many, shown
from medpipe.molecules.intake.params import IngestSmilesParams

TEST, VAL, TRAIN, UNKNOWN = range(4)
SPLITS = ("test", "val", "train")
"""Splits by code. Where a molecule stands in several, the first of these has it."""

JUDGED = pa.schema(
    {
        "line": pa.int64(),
        "file": pa.uint8(),  # number of the file
        "given": pa.uint8(),  # split as the file says, UNKNOWN where it does not
        "split": pa.uint8(),  # split that was drawn where none is given
        "smiles": pa.large_string(),  # null if it was rejected
        "key": pa.uint64(),  # stands for the molecule: equal for equal SMILES
        "text": pa.large_string(),  # as it stood in the file; null if that is the canonical SMILES
        "code": pa.large_string(),
        "reason": pa.large_string(),
    }
)


class Chunk(NamedTuple):
    """Some lines of one file."""

    file: int
    form: Form
    lines: list[int]
    texts: list[str]
    given: list[int]


def judge(chunk: Chunk, params: IngestSmilesParams, by_scaffold: bool, draw_val: bool) -> pa.RecordBatch:
    """Clean a chunk and draw the split of each molecule.

    Args:
        chunk: The lines.
        params: What is allowed.
        by_scaffold: Whether molecules of one scaffold share their split.
        draw_val: Whether a share of train becomes val.

    Returns:
        Columns as ``JUDGED``, a row a line.
    """
    verdicts = clean_many(chunk.texts, params, by_scaffold, chunk.form)
    texts = [shown(text, chunk.form) for text in chunk.texts]
    splits = [
        _draw(verdict, given, params, by_scaffold, draw_val)
        for verdict, given in zip(verdicts, chunk.given, strict=True)
    ]
    columns = {
        "line": chunk.lines,
        "file": np.full(len(texts), chunk.file, np.uint8),
        "given": np.array(chunk.given, np.uint8),
        "split": np.array(splits, np.uint8),
        "smiles": [verdict.smiles or None for verdict in verdicts],
        "key": np.array([hash_of(verdict.smiles) for verdict in verdicts], np.uint64),
        "text": [
            None if text and text == verdict.smiles else _storable(text)
            for text, verdict in zip(texts, verdicts, strict=True)
        ],
        "code": [verdict.code or None for verdict in verdicts],
        "reason": [_storable(verdict.reason) or None for verdict in verdicts],
    }
    return pa.RecordBatch.from_pydict(columns, schema=JUDGED)


def _storable(text: str) -> str:
    """Lone surrogates, which a Parquet file's broken text may hold, cannot be written as UTF-8."""
    return text.encode(errors="replace").decode()


def _draw(verdict: Verdict, given: int, params: IngestSmilesParams, by_scaffold: bool, draw_val: bool) -> int:
    """A molecule's split, from a hash of it, so that it keeps its split when others are added."""
    group = verdict.scaffold if by_scaffold else verdict.smiles
    split = given
    if split == UNKNOWN:
        split = TEST if chance(f"test/{group}", params.seed) < params.test_fraction else TRAIN
    if split == TRAIN and draw_val and chance(f"val/{group}", params.seed) < params.val_fraction:
        split = VAL
    return split
