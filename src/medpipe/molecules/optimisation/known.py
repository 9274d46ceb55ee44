"""Molecules of anywhere as a network's tokens, where it knows them."""

from collections.abc import Sequence
from itertools import pairwise

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.tokens import Vocabulary


def encode_known(vocabulary: Vocabulary, smiles: Sequence[str]) -> list[list[int] | None]:
    """Token ids of each string; None for those with a token that is not in the vocabulary."""
    try:
        flat, borders = vocabulary.encode_many(smiles)
    except InputError:
        if len(smiles) == 1:
            return [None]
        half = len(smiles) // 2
        return encode_known(vocabulary, smiles[:half]) + encode_known(vocabulary, smiles[half:])
    tokens = flat.tolist()
    return [tokens[start:end] for start, end in pairwise(borders.tolist())]
