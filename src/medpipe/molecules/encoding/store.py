"""Encoded molecules on disk: one memory-mapped array of token ids, borders, splits and the vocabulary.

A molecule has one row, or several where it was written in random orders too: ``molecules`` tells which belong together.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest_path
from medpipe.molecules.encoding.tokens import Vocabulary

SPLITS = ("train", "val", "test")
Piece = tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]
"""Some writings: ids (n,) end to end, and borders (writings + 1,), the first of them 0."""
_TOKENS, _BORDERS, _SPLITS, _MOLECULES = "tokens.npy", "borders.npy", "splits.npy", "molecules.npy"
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
        pieces: Iterable[Piece],
        splits: npt.NDArray[np.uint8],
        molecules: npt.NDArray[np.integer],
        vocabulary: Vocabulary,
    ) -> "TokenStore":
        """Write a store in place of ``folder``, atomically, piece by piece.

        Args:
            folder: Where it goes.
            pieces: The writings, some at a time.
            splits: (writings,) index into ``SPLITS``.
            molecules: (writings,) number of the molecule that each writes.
            vocabulary: What the ids mean.
        """
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            lengths = _write_tokens(temporary / _TOKENS, pieces, np.min_scalar_type(len(vocabulary)))
            borders = np.concatenate([[0], np.cumsum(lengths)])
            for name, array in ((_BORDERS, borders), (_SPLITS, splits), (_MOLECULES, molecules.astype(np.int32))):
                np.save(temporary / name, array, allow_pickle=False)
            vocabulary.save(temporary / _VOCABULARY)
            summary = {
                "longest": int(lengths.max(initial=0)),
                "fingerprint": digest_path(temporary),
            }
            write_json(temporary / _SUMMARY, summary)
        return cls(folder)

    def __len__(self) -> int:
        """Number of writings."""
        return len(self.borders) - 1

    @property
    def longest(self) -> int:
        """Tokens of the longest writing."""
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
        """(n,) ids of all writings end to end, without special tokens, memory-mapped."""
        return np.load(self.folder / _TOKENS, mmap_mode="r", allow_pickle=False)

    @cached_property
    def borders(self) -> npt.NDArray[np.int64]:
        """(writings + 1,) where each starts."""
        return np.load(self.folder / _BORDERS, mmap_mode="r", allow_pickle=False)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(writings,) tokens of each."""
        return np.diff(self.borders)

    @cached_property
    def molecules(self) -> npt.NDArray[np.int32]:
        """(writings,) row of the molecule in the table that was encoded; its first writing is the canonical one."""
        return np.load(self.folder / _MOLECULES, mmap_mode="r", allow_pickle=False)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Row numbers of the writings of a split, ascending."""
        codes = np.load(self.folder / _SPLITS, mmap_mode="r", allow_pickle=False)
        return np.flatnonzero(codes == SPLITS.index(split))

    def ids(self, row: int) -> list[int]:
        """Token ids of one writing."""
        return [int(i) for i in self.tokens[self.borders[row] : self.borders[row + 1]]]

    def smiles(self, row: int) -> str:
        """One writing as SMILES."""
        return self.vocabulary.decode(self.ids(row))


def _write_tokens(path: Path, pieces: Iterable[Piece], kind: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """Write the ids of all pieces as one ``.npy`` file; returns the length of each writing."""
    lengths = [np.empty(0, np.int64)]
    with path.open("wb") as file:
        _write_header(file, 0, kind)
        for tokens, borders in pieces:
            file.write(tokens.astype(kind).tobytes())
            lengths.append(np.diff(borders))
        # NumPy pads the header so that the number of items can grow in its place.
        file.seek(0)
        _write_header(file, sum(int(length.sum()) for length in lengths), kind)
    return np.concatenate(lengths)


def _write_header(file: IO[bytes], n: int, kind: np.dtype[Any]) -> None:
    descr = np.lib.format.dtype_to_descr(kind)
    np.lib.format.write_array_header_1_0(file, {"shape": (n,), "fortran_order": False, "descr": descr})
