"""SMILES as token ids: chemical tokens by regular expression, byte-pair merges on top of them.

The alphabet holds what SMILES calls atoms, bonds, branches and ring closures (OpenSMILES specification,
http://opensmiles.org): a bracket atom or ``Br`` is one letter. A merge joins two neighbouring tokens into one longer
token, so frequent fragments (``c1ccc(`` ...) take one step of the generator instead of six.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from medpipe.core.atomic import write_json
from medpipe.core.errors import InputError

PAD, START, END = 0, 1, 2
SPECIAL_TOKENS = ("<pad>", "<start>", "<end>")
_BREAK_ID = -1

_TOKEN = re.compile(r"\[[^\[\]\n]+\]|Br|Cl|%\(\d+\)|%\d\d|[BCNOPSFIbcnops0-9().=#$:~*@/\\+-]")
_BREAK = "\n"
_TOKEN_OR_BREAK = re.compile(f"{_TOKEN.pattern}|{_BREAK}")
_CHUNK = 10_000


def split_tokens(smiles: str) -> list[str]:
    """Cut a SMILES string into chemical tokens.

    Raises:
        InputError: A character belongs to no token; the message names it and where it stands.
    """
    tokens = _TOKEN.findall(smiles)
    if sum(map(len, tokens)) != len(smiles):
        _name_unknown_character(smiles)
    return tokens


def _split_chunks(smiles: Sequence[str]) -> Iterator[list[str]]:
    """Tokens of many molecules at a time, a break after each molecule: far faster than one by one."""
    for start in range(0, len(smiles), _CHUNK):
        chunk = smiles[start : start + _CHUNK]
        text = _BREAK.join(chunk) + _BREAK
        tokens = _TOKEN_OR_BREAK.findall(text)
        if sum(map(len, tokens)) != len(text) or text.count(_BREAK) != len(chunk):
            for one in chunk:
                split_tokens(one)
        yield tokens


def _name_unknown_character(smiles: str) -> NoReturn:
    position = 0
    while match := _TOKEN.match(smiles, position):
        position = match.end()
    raise InputError(
        f"SMILES {smiles[:80]!r}: character {smiles[position]!r} at position {position + 1} starts no SMILES token; "
        "expected an atom, a bond, a branch or a ring closure. Clean the molecules with ingest_smiles first."
    )


@dataclass(frozen=True)
class Vocabulary:
    """The tokens a generator speaks and how a SMILES string becomes their ids and back.

    Attributes:
        alphabet: Chemical tokens, sorted; the first has the id ``len(SPECIAL_TOKENS)``.
        merges: Pairs of ids in the order learnt; pair k makes the id ``len(SPECIAL_TOKENS) + len(alphabet) + k``.
    """

    alphabet: tuple[str, ...]
    merges: tuple[tuple[int, int], ...] = field(default=())

    @classmethod
    def learn(cls, smiles: Sequence[str], n_merges: int, merge_sample: Sequence[str] | None = None) -> "Vocabulary":
        """Learn the alphabet from all ``smiles`` and the merges from ``merge_sample`` (all of them when it is None)."""
        alphabet = set(chain.from_iterable(map(set, _split_chunks(smiles)))) - {_BREAK}
        bare = cls(tuple(sorted(alphabet)))
        if not n_merges:
            return bare
        from medpipe.molecules.encoding.bpe import learn_merges

        flat, offsets = bare.encode_many(smiles if merge_sample is None else merge_sample)
        return cls(bare.alphabet, tuple(learn_merges(flat, offsets, bare.n_letters, n_merges)))

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
            InputError: A token is not in the alphabet; the message names it.
        """
        letters = self._letter_ids | {_BREAK: _BREAK_ID}
        pieces = [np.empty(0, np.int32)]
        for tokens in _split_chunks(smiles):
            try:
                pieces.append(np.fromiter(map(letters.__getitem__, tokens), np.int32, len(tokens)))
            except KeyError as unknown:
                self._name_unknown_token(unknown.args[0], smiles)
        with_breaks = np.concatenate(pieces)
        breaks = np.flatnonzero(with_breaks == _BREAK_ID)
        flat = with_breaks[with_breaks != _BREAK_ID]
        borders = np.concatenate([[0], breaks - np.arange(len(breaks))]).astype(np.int64)
        if not self.merges:
            return flat, borders
        from medpipe.molecules.encoding.bpe import apply_merges

        return apply_merges(flat, borders, self.n_letters, list(self.merges))

    def _name_unknown_token(self, token: str, smiles: Sequence[str]) -> NoReturn:
        text = next(text for text in smiles if token in split_tokens(text))
        raise InputError(
            f"SMILES {text[:80]!r}: token {token!r} is not in the vocabulary of {len(self.alphabet)} tokens ("
            f"{' '.join(self.alphabet[:40])}). Drop the molecule or learn the vocabulary with it."
        )

    def encode(self, smiles: str) -> list[int]:
        """Encode one molecule, without special tokens; see ``encode_many``."""
        return [int(i) for i in self.encode_many([smiles])[0]]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``; special tokens add nothing."""
        texts = self.texts
        return "".join([texts[i] for i in ids])

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"alphabet": list(self.alphabet), "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Vocabulary":
        """Inverse of ``to_dict``."""
        return cls(tuple(content["alphabet"]), tuple((int(a), int(b)) for a, b in content["merges"]))

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what ``save`` wrote."""
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
