"""Damage to files as disks and networks do it, and as nobody does it."""

import random

TOKENS = (b"9", b"-", b"999999999999", b"nan", b"inf", b"1e308", b"\0", b"\n", b"0", b"\x7f\xff", b"LIST", b"../")
HEADER_BYTES = 400
"""Within these the damage to headers lies."""


def damaged(content: bytes, rng: random.Random, in_header: bool) -> bytes:
    """A copy with one to sixteen places changed, cut out or filled in.

    Args:
        content: Whole.
        rng: Where from.
        in_header: Whether most of the damage is to lie within the first bytes.
    """
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not result:
            break
        place = rng.randrange(min(len(result), HEADER_BYTES) if in_header and rng.random() < 0.8 else len(result))
        match rng.randrange(6):
            case 0:
                result[place] = rng.randrange(256)
            case 1:
                result[place] ^= 1 << rng.randrange(8)
            case 2:
                del result[place : place + rng.choice((1, 2, 8, 100))]
            case 3:
                result[place:place] = rng.randbytes(rng.choice((1, 2, 8, 64)))
            case 4:
                del result[place:]
            case _:
                result[place:place] = rng.choice(TOKENS)
    return bytes(result)
