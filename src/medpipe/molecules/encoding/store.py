"""Encoded molecules on disk: one memory-mapped array of token ids, borders, splits and the vocabulary."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest
from medpipe.molecules.encoding.tokens import Vocabulary

SPLITS = ("train", "val", "test")
_TOKENS, _BORDERS, _SPLITS = "tokens.npy", "borders.npy", "splits.npy"
_VOCABULARY, _SUMMARY = "vocabulary.json", "store.json"


class TokenStore:
    """Molecules as token ids; opening it reads nothing but a few lines of JSON.

    Args:
        folder: Folder that ``write`` made.

    Raises:
        InputError: There is no store in ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        try:
            self._summary = json.loads((self.folder / _SUMMARY).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{folder}: holds no token store; run encode first.") from None

    @classmethod
    def write(
        cls,
        folder: Path,
        tokens: npt.NDArray[np.integer],
        borders: npt.NDArray[np.int64],
        splits: npt.NDArray[np.uint8],
        vocabulary: Vocabulary,
    ) -> "TokenStore":
        """Write a store in place of ``folder``, atomically.

        Args:
            folder: Where it goes.
            tokens: (n,) ids of all molecules end to end, without special tokens.
            borders: (molecules + 1,) where each molecule starts in ``tokens``.
            splits: (molecules,) index into ``SPLITS``.
            vocabulary: What the ids mean.
        """
        small = tokens.astype(np.min_scalar_type(len(vocabulary)))
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            for name, array in ((_TOKENS, small), (_BORDERS, borders), (_SPLITS, splits)):
                np.save(temporary / name, array, allow_pickle=False)
            vocabulary.save(temporary / _VOCABULARY)
            summary = {
                "molecules": len(splits),
                "longest": int(np.diff(borders).max(initial=0)),
                "fingerprint": digest(small, borders, splits, vocabulary.to_dict()),
            }
            write_json(temporary / _SUMMARY, summary)
        return cls(folder)

    def __len__(self) -> int:
        return int(self._summary["molecules"])

    @property
    def longest(self) -> int:
        """Tokens of the longest molecule."""
        return int(self._summary["longest"])

    def fingerprint(self) -> str:
        """Digest of the content."""
        return str(self._summary["fingerprint"])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the ids mean."""
        return Vocabulary.load(self.folder / _VOCABULARY)

    @cached_property
    def tokens(self) -> npt.NDArray[np.unsignedinteger]:
        """(n,) ids of all molecules end to end, memory-mapped."""
        return np.load(self.folder / _TOKENS, mmap_mode="r", allow_pickle=False)

    @cached_property
    def borders(self) -> npt.NDArray[np.int64]:
        """(molecules + 1,) where each molecule starts."""
        return np.load(self.folder / _BORDERS, mmap_mode="r", allow_pickle=False)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(molecules,) tokens of each."""
        return np.diff(self.borders)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Row numbers of the molecules of a split, ascending."""
        codes = np.load(self.folder / _SPLITS, mmap_mode="r", allow_pickle=False)
        return np.flatnonzero(codes == SPLITS.index(split))

    def ids(self, row: int) -> list[int]:
        """Token ids of one molecule."""
        return [int(i) for i in self.tokens[self.borders[row] : self.borders[row + 1]]]

    def smiles(self, row: int) -> str:
        """One molecule as SMILES."""
        return self.vocabulary.decode(self.ids(row))
