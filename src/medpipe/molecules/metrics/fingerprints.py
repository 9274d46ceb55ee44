"""Morgan fingerprints as packed bits: nearest neighbours and internal diversity by counting common bits.

A fingerprint of 1024 bits is 16 words; the Tanimoto similarity of two is |a and b| / |a or b|, a handful of population
counts. Numba compiles the loops, several threads share the rows.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

RADIUS = 2
N_BITS = 1024
N_WORDS = N_BITS // 64
_ROWS_A_TASK = 512
_JUDGED = 8192  # fingerprints with one byte a bit at a time, 8 MB

Packed = npt.NDArray[np.uint64]


@cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_BITS)


def morgan(mol: Any) -> bytes:
    """Morgan fingerprint (radius 2, 1024 bits) of a molecule as 128 bytes, bit 0 first."""
    from rdkit import DataStructs

    return bytes(DataStructs.BitVectToBinaryText(_generator().GetFingerprint(mol)))


def pack(bits: npt.NDArray[np.uint8]) -> Packed:
    """Packs fingerprints of one byte a bit, (n, 1024) of 0 and 1, into (n, 16) words."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def unpack_bytes(fingerprints: list[bytes]) -> Packed:
    """(n, 16) words of n fingerprints as ``morgan`` gives them."""
    return np.frombuffer(b"".join(fingerprints), dtype=np.uint64).reshape(-1, N_WORDS)


def n_threads(n_jobs: int) -> int:
    """Number of threads for ``n_jobs``; -1 is one for each core this process may use."""
    return n_jobs if n_jobs > 0 else len(os.sched_getaffinity(0))


def nearest(
    queries: Packed, references: Packed, n_jobs: int = -1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Highest Tanimoto similarity of each query to any reference, and which reference it is.

    References are walked through in the order of their number of bits, from that of the query outwards: the similarity
    is at most the smaller over the larger number, so most of the tail is never looked at. Bits are put in the order of
    how many references have them: the first words then hold most of the bits, and mostly settle the comparison.

    Args:
        queries: (n, 16) packed fingerprints.
        references: (m, 16) packed fingerprints, m > 0.
        n_jobs: Threads.

    Returns:
        Similarities (n,) and indices into ``references`` (n,).
    """
    from medpipe.molecules.metrics.kernels import bit_counts, nearest_rows, tail_counts

    reference_bits = bit_counts(references)
    order = np.argsort(reference_bits, kind="stable")
    by_frequency = _bits_by_frequency(references)
    ordered = _reorder_bits(references[order], by_frequency)
    tails = tail_counts(ordered)
    starts = np.searchsorted(reference_bits[order], np.arange(N_BITS + 2))
    query_bits = bit_counts(queries)
    query_order = np.argsort(query_bits, kind="stable")
    best = np.zeros(len(queries))
    index = np.zeros(len(queries), dtype=np.int64)

    def one(rows: npt.NDArray[np.int64]) -> None:
        wanted = _reorder_bits(queries[rows], by_frequency)
        best[rows], index[rows] = nearest_rows(wanted, query_bits[rows], ordered, tails, starts)

    _in_threads(one, query_order, n_jobs)
    return best, order[index]


def _bits_by_frequency(fingerprints: Packed) -> npt.NDArray[np.int64]:
    """Bits from the most to the least frequent, (1024,), judged by a part of the fingerprints."""
    some = fingerprints[:: max(1, len(fingerprints) // _JUDGED)]
    return np.argsort(-_unpack(some).sum(axis=0, dtype=np.int64), kind="stable")


def _reorder_bits(fingerprints: Packed, order: npt.NDArray[np.int64]) -> Packed:
    """The same fingerprints with their bits in another order."""
    result = np.empty_like(fingerprints)
    for start in range(0, len(fingerprints), _JUDGED):
        rows = slice(start, start + _JUDGED)
        result[rows] = pack(np.take(_unpack(fingerprints[rows]), order, axis=1))
    return result


def _unpack(fingerprints: Packed) -> npt.NDArray[np.uint8]:
    """One byte a bit, (n, 1024): what ``pack`` takes."""
    return np.unpackbits(np.ascontiguousarray(fingerprints).view(np.uint8), axis=1, bitorder="little")


def mean_similarities(
    fingerprints: Packed, counts: npt.NDArray[np.int64], n_jobs: int = -1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean Tanimoto similarity, and mean square of it, of each molecule to all of the set (itself among them).

    Args:
        fingerprints: (n, 16), of distinct molecules.
        counts: How often each occurs in the set, (n,).
        n_jobs: Threads.

    Returns:
        Two arrays (n,).
    """
    from medpipe.molecules.metrics.kernels import bit_counts, similarity_sums

    bits = bit_counts(fingerprints)
    weights = counts.astype(np.float64)
    first, second = np.zeros(len(bits)), np.zeros(len(bits))

    def one(rows: npt.NDArray[np.int64]) -> None:
        first[rows], second[rows] = similarity_sums(fingerprints[rows], bits[rows], fingerprints, bits, weights)

    _in_threads(one, np.arange(len(bits)), n_jobs)
    return first / weights.sum(), second / weights.sum()


def nearest_others(fingerprints: npt.NDArray[np.uint64], n_jobs: int = -1) -> npt.NDArray[np.float64]:
    """Highest Tanimoto similarity of each fingerprint to any other of the set, (n,); 0 where it is alone.

    Args:
        fingerprints: (n, words), of any number of words.
        n_jobs: Threads.
    """
    from medpipe.molecules.metrics.kernels import best_other

    best = np.zeros(len(fingerprints))

    def one(rows: npt.NDArray[np.int64]) -> None:
        best[rows] = best_other(fingerprints, rows)

    _in_threads(one, np.arange(len(fingerprints)), n_jobs)
    return best


def _in_threads(one: Callable[[npt.NDArray[np.int64]], None], rows: npt.NDArray[np.int64], n_jobs: int) -> None:
    tasks = [rows[start : start + _ROWS_A_TASK] for start in range(0, len(rows), _ROWS_A_TASK)]
    with ThreadPoolExecutor(n_threads(n_jobs)) as pool:
        list(pool.map(one, tasks))
