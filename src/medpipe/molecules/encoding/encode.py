"""Clean molecules to a token store.

Memory does not grow with the tokens: symbols go to a temporary file as they are cut, and from there, once the alphabet
and the merges are known, through the merges to the store.
"""

import logging
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import SPLITS, Piece, TokenStore
from medpipe.molecules.encoding.tokens import Vocabulary
from medpipe.molecules.encoding.writing import Molecules, Written, write_many

_CHUNK_FAST, _CHUNK_SLOW = 10_000, 500
_SHOWN_REFUSALS = 3

_logger = logging.getLogger(__name__)


def encode(smiles: pd.DataFrame, params: EncodeParams, folder: Path) -> TokenStore:
    """Learn a vocabulary and write the molecules as token ids.

    The alphabet is that of all splits, so that val and test can be read; the merges are learnt from train alone.

    Args:
        smiles: Columns smiles, split, as ``ingest`` gives them.
        params: Notation, size of the vocabulary, augmentation.
        folder: Where the store goes. A molecule that SELFIES cannot write is left out, and the log says so.

    Raises:
        InputError: No molecule is in train, or one holds what is no symbol.
    """
    codes = np.zeros(len(smiles), np.uint8)
    for code, name in enumerate(SPLITS):
        codes[(smiles.split == name).to_numpy()] = code
    in_train = codes == SPLITS.index("train")
    if not in_train.any():
        raise InputError(f"split: none of {len(smiles)} molecules is in 'train', merges cannot be learnt.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder.parent) as file:
        spool = _Spool(file, params)
        for written in _write(smiles.smiles, in_train, params):
            spool.add(written)
        molecules = spool.molecules()
        if not in_train[molecules].any():
            raise InputError(
                f"smiles: none of the {in_train.sum()} molecules of train can be taken: {spool.refused[0]}"
            )
        vocabulary = spool.learn(in_train)
        store = TokenStore.write(folder, spool.pieces(vocabulary), codes[molecules], molecules, vocabulary)
    _report(store, spool.refused)
    return store


def _write(smiles: pd.Series, in_train: npt.NDArray[np.bool_], params: EncodeParams) -> Iterator[Written]:
    slow = params.notation != "smiles" or params.n_random > 0
    size = _CHUNK_SLOW if slow else _CHUNK_FAST
    starts = range(0, len(smiles), size)
    chunks = (
        Molecules(start, smiles.iloc[start : start + size].tolist(), in_train[start : start + size].tolist())
        for start in starts
    )
    # Cutting SMILES is faster than handing them to another process.
    written = parallel(
        partial(write_many, params=params),
        chunks,
        description=None,
        n_jobs=params.n_jobs if slow else 1,
        total=len(starts),
    )
    return track(written, "Encoding molecules", total=len(smiles), size=lambda one: one.n)


class _Spool:
    """Symbols of all texts in a file, numbered as they were met."""

    def __init__(self, file: IO[bytes], params: EncodeParams) -> None:
        self._file, self._params = file, params
        self._numbers: dict[str, int] = {}
        self._borders: list[npt.NDArray[np.int64]] = []
        self._molecules: list[npt.NDArray[np.int32]] = []
        self.refused: list[str] = []

    def add(self, written: Written) -> None:
        """Append the texts of a chunk."""
        numbers = [self._numbers.setdefault(symbol, len(self._numbers)) for symbol in written.alphabet]
        self._file.write(np.array(numbers, np.uint16)[written.letters].tobytes())
        self._borders.append(written.borders)
        self._molecules.append(written.molecules)
        self.refused += written.refused

    def molecules(self) -> npt.NDArray[np.int32]:
        """(texts,) row of the molecule that each text writes."""
        return np.concatenate(self._molecules)

    def learn(self, in_train: npt.NDArray[np.bool_]) -> Vocabulary:
        """The alphabet of all texts, with the merges of those of the first molecules of train."""
        bare = Vocabulary(tuple(sorted(self._numbers)), notation=self._params.notation)
        if not self._params.n_merges:
            return bare
        last = np.flatnonzero(in_train)[: self._params.merge_sample][-1]
        tokens, lengths = [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
        for (ids, borders), molecules in zip(self.pieces(bare), self._molecules, strict=True):
            chosen = in_train[molecules] & (molecules <= last)
            tokens.append(ids[np.repeat(chosen, np.diff(borders))])
            lengths.append(np.diff(borders)[chosen])
            if molecules.size and molecules[-1] >= last:
                break
        return bare.with_merges(np.concatenate(tokens), np.cumsum(np.concatenate(lengths)), self._params.n_merges)

    def pieces(self, vocabulary: Vocabulary) -> Iterator[Piece]:
        """The texts chunk by chunk as ids of a vocabulary with this alphabet."""
        ids = np.array([vocabulary.alphabet.index(symbol) for symbol in self._numbers], np.int32)
        ids += vocabulary.first_letter
        self._file.seek(0)
        for borders in self._borders:
            numbers = np.frombuffer(self._file.read(2 * int(borders[-1])), np.uint16)
            yield vocabulary.merge(ids[numbers], borders)


def _report(store: TokenStore, refused: list[str]) -> None:
    if refused:
        _logger.warning("%d molecules left out: %s ...", len(refused), " ".join(refused[:_SHOWN_REFUSALS]))
    _logger.info(
        "Encoded %s molecules in %s writings: %d tokens in the vocabulary, %.1f a writing, at most %d",
        f"{len(np.unique(store.molecules)):,}", f"{len(store):,}", len(store.vocabulary),
        len(store.tokens) / len(store), store.longest,
    )  # fmt: skip
