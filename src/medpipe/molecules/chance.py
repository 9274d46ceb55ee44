"""Chance that belongs to a molecule: the same whatever molecules there are beside it."""

import hashlib


def hash_of(text: str) -> int:
    """64 bits: the chance that two of two million molecules share them is one in ten million."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def chance(text: str, seed: int) -> float:
    """A number in [0, 1) that belongs to ``text``."""
    return hash_of(f"{seed}/{text}") / 2**64
