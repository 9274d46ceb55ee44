"""Compiled loops over packed fingerprints. Importing this module imports numba."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from medpipe.molecules.metrics.fingerprints import N_BITS, N_WORDS

_HEAD = 4  # words that are looked at first
_ROUNDING = 1e-9  # far below the least step of best * bits / (1 + best), far above its rounding error


@intrinsic
def _ones(typing_context: Any, word: Any) -> Any:
    """Number of ones in a 64-bit word: the processor's own instruction."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


@njit(nogil=True, cache=True)
def _common(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64], start: int = 0, stop: int = N_WORDS) -> int:
    """Number of common ones in a range of words; a constant range is unrolled."""
    total = np.uint64(0)
    for word in range(start, stop):
        total += _ones(a[word] & b[word])
    return np.int64(total)  # type: ignore[return-value]


@njit(nogil=True, cache=True)
def bit_counts(fingerprints: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Number of ones in each fingerprint, (n,)."""
    counts = np.empty(len(fingerprints), dtype=np.int64)
    for i in range(len(fingerprints)):
        counts[i] = _common(fingerprints[i], fingerprints[i])
    return counts


@njit(nogil=True, cache=True)
def tail_counts(fingerprints: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Number of ones behind the first words of each fingerprint, (n,)."""
    counts = np.empty(len(fingerprints), dtype=np.int64)
    for i in range(len(fingerprints)):
        counts[i] = _common(fingerprints[i], fingerprints[i], _HEAD, N_WORDS)
    return counts


@njit(nogil=True, cache=True)
def nearest_rows(
    queries: npt.NDArray[np.uint64],
    query_bits: npt.NDArray[np.int64],
    references: npt.NDArray[np.uint64],
    tails: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Best similarity and its row for each query.

    Args:
        queries: (n, 16), best sorted by their number of bits: queries that follow each other then read the same rows.
        query_bits: Ones in each query, (n,).
        references: (m, 16), sorted by their number of ones.
        tails: Ones behind the first words of each reference, (m,), by ``tail_counts``.
        starts: Row of ``references`` where those with k ones begin, for k = 0 .. N_BITS + 1.
    """
    best = np.full(len(queries), -1.0)
    index = np.zeros(len(queries), dtype=np.int64)
    begin = 0
    while begin < len(queries):
        end = begin
        while end < len(queries) and query_bits[end] == query_bits[begin]:
            end += 1
        ones = query_bits[begin]
        for distance in range(N_BITS + 1):
            reached = False
            for side in range(2):
                other = ones + distance if side == 0 else ones - distance
                if (side == 1 and distance == 0) or other < 0 or other > N_BITS:
                    continue
                bound = min(ones, other) / max(ones, other) if max(ones, other) > 0 else 1.0
                for query in range(begin, end):
                    if bound > best[query]:
                        reached = True
                        best[query], index[query] = _best_of_bucket(
                            queries[query],
                            ones,
                            references,
                            tails,
                            starts[other],
                            starts[other + 1],
                            other,
                            best[query],
                            index[query],
                        )
            if distance > 0 and not reached and _bound_below(ones, distance) <= best[begin:end].min():
                break
        begin = end
    return best, index


@njit(nogil=True, cache=True)
def _bound_below(ones: int, distance: int) -> float:
    """The best similarity that is possible with ``distance`` more or fewer ones."""
    more = ones / (ones + distance)
    fewer = (ones - distance) / ones if ones > distance else 0.0
    return max(more, fewer)


@njit(nogil=True, cache=True)
def _best_of_bucket(
    query: npt.NDArray[np.uint64],
    ones: int,
    references: npt.NDArray[np.uint64],
    tails: npt.NDArray[np.int64],
    first: int,
    last: int,
    other: int,
    best: float,
    index: int,
) -> tuple[float, int]:
    """Looks through references that all have ``other`` ones: the most common bits is the highest similarity.

    c common bits beat ``best`` if c / (ones + other - c) > best. Where the first words cannot lead to more common bits
    than the best so far, the others are not read.
    """
    most = int(np.floor(best * (ones + other) / (1 + best) + _ROUNDING)) if best >= 0 else -1
    row = -1
    tail = _common(query, query, _HEAD, N_WORDS)
    for i in range(first, last):
        common = _common(query, references[i], 0, _HEAD)
        if common + min(tail, tails[i]) > most:
            common += _common(query, references[i], _HEAD, N_WORDS)
            if common > most:
                most = common
                row = i
    if row < 0:
        return best, index
    union = ones + other - most
    return most / union if union > 0 else 1.0, row


@njit(nogil=True, cache=True)
def similarity_sums(
    rows: npt.NDArray[np.uint64],
    row_bits: npt.NDArray[np.int64],
    fingerprints: npt.NDArray[np.uint64],
    bits: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weighted sums over all fingerprints of the Tanimoto similarity to each row, and of its square."""
    first = np.zeros(len(rows))
    second = np.zeros(len(rows))
    for j in range(len(fingerprints)):
        for i in range(len(rows)):
            common = _common(rows[i], fingerprints[j])
            union = row_bits[i] + bits[j] - common
            similarity = common / union if union > 0 else 1.0
            first[i] += weights[j] * similarity
            second[i] += weights[j] * similarity * similarity
    return first, second


@njit(nogil=True, cache=True)
def best_other(fingerprints: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Best similarity of each of ``rows`` to another fingerprint; fingerprints (n, words) of any width."""
    n, n_words = fingerprints.shape
    bits = np.empty(n, dtype=np.int64)
    for i in range(n):
        bits[i] = _common(fingerprints[i], fingerprints[i], 0, n_words)
    best = np.zeros(len(rows))
    for k in range(len(rows)):
        i = rows[k]
        for j in range(n):
            if j == i or min(bits[i], bits[j]) <= best[k] * max(bits[i], bits[j]):
                continue
            common = _common(fingerprints[i], fingerprints[j], 0, n_words)
            best[k] = max(best[k], common / (bits[i] + bits[j] - common))
    return best
