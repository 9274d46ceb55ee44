"""Molecules as token ids: symbols of SMILES or SELFIES, byte-pair merges on top of them.

A merge joins two neighbouring tokens into one longer token, so frequent fragments (``c1ccc(`` ...) take one step of the
generator instead of six.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from medpipe.core.atomic import write_json
from medpipe.core.errors import InputError
from medpipe.molecules.encoding.notation import (
    BREAK,
    Notation,
    read_symbols,
    split_many,
    split_symbols,
    write_symbols,
)

PAD, START, END = 0, 1, 2
SPECIAL_TOKENS = ("<pad>", "<start>", "<end>")
_BREAK_ID = -1


@dataclass(frozen=True)
class Vocabulary:
    """The tokens a generator speaks; SMILES become their ids and back, whatever the notation.

    Attributes:
        alphabet: Symbols of the notation, sorted; the first has the id ``first_letter``.
        merges: Pairs of ids in the order learnt; pair k makes the id ``n_letters + k``.
        notation: What the symbols are those of.
    """

    alphabet: tuple[str, ...]
    merges: tuple[tuple[int, int], ...] = field(default=())
    notation: Notation = "smiles"

    @classmethod
    def learn(cls, smiles: Sequence[str], n_merges: int, notation: Notation = "smiles") -> "Vocabulary":
        """Learn the alphabet and the merges from ``smiles``."""
        texts = [write_symbols(one, notation) for one in smiles]
        bare = cls.learn_texts(texts, notation)
        return bare.with_merges(*bare.encode_texts(texts), n_merges)

    @classmethod
    def learn_texts(cls, texts: Sequence[str], notation: Notation) -> "Vocabulary":
        """Learn the alphabet from texts in the notation; no merges."""
        return cls(
            tuple(sorted(set(chain.from_iterable(map(set, split_many(texts, notation)))) - {BREAK})), (), notation
        )

    def with_merges(self, flat: npt.NDArray[np.int32], borders: npt.NDArray[np.int64], n_merges: int) -> "Vocabulary":
        """The same alphabet with merges learnt from molecules encoded without any, end to end."""
        from medpipe.molecules.encoding.bpe import learn_merges

        return replace(self, merges=tuple(learn_merges(flat, borders, self.n_letters, n_merges)))

    @property
    def first_letter(self) -> int:
        """The id of the first symbol of the alphabet."""
        return len(SPECIAL_TOKENS)

    @property
    def n_letters(self) -> int:
        """Number of special tokens and letters: every id from here on is a merge."""
        return len(SPECIAL_TOKENS) + len(self.alphabet)

    def __len__(self) -> int:
        return self.n_letters + len(self.merges)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each id stands for; special tokens stand for nothing."""
        texts = ["" for _ in SPECIAL_TOKENS] + list(self.alphabet)
        for left, right in self.merges:
            texts.append(texts[left] + texts[right])
        return tuple(texts)

    @cached_property
    def _letter_ids(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.alphabet, len(SPECIAL_TOKENS))}

    def encode_many(self, smiles: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Encode molecules, end to end.

        Returns:
            Ids (n,) without special tokens, and borders (molecules + 1,).

        Raises:
            InputError: A symbol is not in the alphabet, or the notation cannot write a molecule; the message names it.
        """
        return self.merge(*self.encode_texts([write_symbols(one, self.notation) for one in smiles]))

    def encode_texts(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """As ``encode_many``, of texts in the notation, without the merges."""
        letters = self._letter_ids | {BREAK: _BREAK_ID}
        pieces = [np.empty(0, np.int32)]
        for symbols in split_many(texts, self.notation):
            try:
                pieces.append(np.fromiter(map(letters.__getitem__, symbols), np.int32, len(symbols)))
            except KeyError as unknown:
                self._name_unknown_symbol(unknown.args[0], texts)
        with_breaks = np.concatenate(pieces)
        breaks = np.flatnonzero(with_breaks == _BREAK_ID)
        borders = np.concatenate([[0], breaks - np.arange(len(breaks))]).astype(np.int64)
        return with_breaks[with_breaks != _BREAK_ID], borders

    def merge(
        self, flat: npt.NDArray[np.int32], borders: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Molecules of letters with the merges applied."""
        if not self.merges:
            return flat, borders
        from medpipe.molecules.encoding.bpe import apply_merges

        return apply_merges(flat, borders, self.n_letters, list(self.merges))

    def _name_unknown_symbol(self, symbol: str, texts: Sequence[str]) -> NoReturn:
        text = next(text for text in texts if symbol in split_symbols(text, self.notation))
        raise InputError(
            f"{self.notation.upper()} {text[:80]!r}: token {symbol!r} is not in the vocabulary of "
            f"{len(self.alphabet)} tokens ({' '.join(self.alphabet[:40])}). Drop the molecule or learn the vocabulary "
            "with it."
        )

    def encode(self, smiles: str) -> list[int]:
        """Encode one molecule, without special tokens; see ``encode_many``."""
        return [int(i) for i in self.encode_many([smiles])[0]]

    def decode(self, ids: Iterable[int]) -> str:
        """The SMILES string of ``ids``; special tokens add nothing."""
        texts = self.texts
        return read_symbols("".join([texts[i] for i in ids]), self.notation)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "alphabet": list(self.alphabet),
            "merges": [list(pair) for pair in self.merges],
            "notation": self.notation,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Vocabulary":
        """Inverse of ``to_dict``."""
        merges = tuple((int(a), int(b)) for a, b in content["merges"])
        return cls(tuple(content["alphabet"]), merges, content.get("notation", "smiles"))

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what ``save`` wrote."""
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
