"""Which lines of which files are read: a first pass that judges nothing, counts, and draws the subset.

It holds one byte a line, and finds an unreadable file before hours are spent on its first half.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medpipe.core.errors import InputError
from medpipe.core.progress import Progress
from medpipe.molecules.intake.cleaning import Form
from medpipe.molecules.intake.judging import SPLITS, TEST, TRAIN, UNKNOWN, Chunk
from medpipe.molecules.intake.params import IngestSmilesParams
from medpipe.molecules.intake.readers import Line, holds_mol_blocks, read_lines

CHUNK_LINES = 2000
_COUNTED_TOGETHER = 10_000
_LEFT_OUT = 255
_MOSES_COLUMN = "SMILES"
_CODES = {name: code for code, name in enumerate(SPLITS)}


@dataclass
class Source:
    """A file and which of its lines are read.

    Attributes:
        path: The file.
        column: Column with the SMILES.
        given: (lines,) split of each as the file says, ``UNKNOWN`` or ``_LEFT_OUT``.
    """

    path: Path
    column: str
    given: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of lines that are read."""
        return int(np.count_nonzero(self.given != _LEFT_OUT))

    @property
    def n_chunks(self) -> int:
        """Number of ``chunks``."""
        return -(-len(self) // CHUNK_LINES)

    def chunks(self, number: int) -> Iterator[Chunk]:
        """The lines, ``CHUNK_LINES`` at a time; ``number`` stands for the file."""
        form: Form = "mol_block" if holds_mol_blocks(self.path) else "smiles"
        taken = self.given != _LEFT_OUT
        lines = compress(read_lines(self.path, self.column), taken)
        given = self.given[taken]
        for start in range(0, len(given), CHUNK_LINES):
            codes = given[start : start + CHUNK_LINES].tolist()
            some = list(islice(lines, CHUNK_LINES))
            yield Chunk(number, form, [line.number for line in some], [line.text for line in some], codes)


def select_moses(folder: Path, params: IngestSmilesParams) -> list[Source]:
    """The test and train molecules of MOSES; a text that stands in a test set too is left out of train."""
    test, scaffolds, train = (folder / f"{name}.csv.gz" for name in ("test", "test_scaffolds", "train"))
    kept_out = {line.text for path in (test, scaffolds) for line in read_lines(path, _MOSES_COLUMN)}
    codes = {
        test: _scan(test, (TEST for _ in read_lines(test, _MOSES_COLUMN))),
        train: _scan(
            train, (_LEFT_OUT if line.text in kept_out else TRAIN for line in read_lines(train, _MOSES_COLUMN))
        ),
    }
    _draw_subset(codes[test], TEST, params.max_test, params.seed)
    _draw_subset(codes[train], TRAIN, params.max_train, params.seed)
    return [Source(path, _MOSES_COLUMN, given) for path, given in codes.items()]


def select_file(path: Path, params: IngestSmilesParams) -> list[Source]:
    """The molecules of a user's file.

    Raises:
        InputError: The split column holds what is no split.
    """
    lines = read_lines(path, params.column, params.split_column)
    if params.split_column is None:
        given = _scan(path, (UNKNOWN for _ in lines))
        if params.max_train is not None:
            _draw_subset(given, UNKNOWN, round(params.max_train / (1 - params.test_fraction)), params.seed)
    else:
        given = _scan(path, (_code(path, line, params.split_column) for line in lines))
        _draw_subset(given, TRAIN, params.max_train, params.seed)
        _draw_subset(given, TEST, params.max_test, params.seed)
    return [Source(path, params.column, given)]


def _scan(path: Path, codes: Iterator[int]) -> npt.NDArray[np.uint8]:
    """One code a line, the lines counted as they go by."""
    pieces = [np.empty(0, np.uint8)]
    with Progress(f"Counting lines of {path.name}") as progress:
        while len(piece := np.fromiter(islice(codes, _COUNTED_TOGETHER), np.uint8)):
            pieces.append(piece)
            progress.advance(len(piece))
    return np.concatenate(pieces)


def _code(path: Path, line: Line, split_column: str) -> int:
    try:
        return _CODES[line.split.strip().lower()]
    except KeyError:
        raise InputError(
            f"{path}: line {line.number}: {split_column!r} holds {line.split[:40]!r}; expected train, val or test."
        ) from None


def _draw_subset(given: npt.NDArray[np.uint8], code: int, n: int | None, seed: int) -> None:
    """Leave out all but ``n`` of the lines of a split, in place."""
    lines = np.flatnonzero(given == code)
    if n is not None and n < len(lines):
        given[lines[np.random.default_rng(seed).permutation(len(lines))[n:]]] = _LEFT_OUT
