"""Byte-pair merges over integer sequences, compiled.

Sequences lie end to end in one flat array. Merging works inside a sequence only. See Sennrich et al., "Neural
Machine Translation of Rare Words with Subword Units" (ACL 2016), for the method.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

IntArray = npt.NDArray[np.int32]
OffsetArray = npt.NDArray[np.int64]


@njit(cache=True)
def _count_pairs(flat: IntArray, offsets: OffsetArray, counts: npt.NDArray[np.int64]) -> None:
    counts[:] = 0
    for row in range(offsets.size - 1):
        previous_pair_start = -2
        for i in range(offsets[row], offsets[row + 1] - 1):
            # In "aaa" the pair "aa" can be merged once only, so it counts once.
            if flat[i] == flat[i + 1] and previous_pair_start == i - 1 and flat[i - 1] == flat[i]:
                continue
            counts[flat[i], flat[i + 1]] += 1
            previous_pair_start = i


@njit(cache=True)
def _merge_everywhere(flat: IntArray, offsets: OffsetArray, left: int, right: int, merged: int) -> None:
    write = 0
    start = offsets[0]
    for row in range(offsets.size - 1):
        end = offsets[row + 1]
        i = start
        while i < end:
            if i + 1 < end and flat[i] == left and flat[i + 1] == right:
                flat[write] = merged
                i += 2
            else:
                flat[write] = flat[i]
                i += 1
            write += 1
        start = end
        offsets[row + 1] = write


def learn_merges(flat: IntArray, offsets: OffsetArray, n_symbols: int, n_merges: int) -> list[tuple[int, int]]:
    """Learn the merges that shorten the sequences most, greedily.

    Args:
        flat: (n,) symbols of all sequences, each below ``n_symbols``.
        offsets: (sequences + 1,) where each sequence starts and the last one ends.
        n_symbols: Size of the alphabet.
        n_merges: Most merges to learn; fewer come back when no pair occurs twice any more.

    Returns:
        Pairs in the order learnt; pair k makes the symbol ``n_symbols + k``. Ties go to the lower pair.
    """
    flat, offsets = flat.astype(np.int32), offsets.astype(np.int64)
    counts = np.zeros((n_symbols + n_merges, n_symbols + n_merges), np.int64)
    merges: list[tuple[int, int]] = []
    for k in range(n_merges):
        _count_pairs(flat, offsets, counts)
        left, right = divmod(int(counts.argmax()), counts.shape[1])
        if counts[left, right] < 2:
            break
        merges.append((left, right))
        _merge_everywhere(flat, offsets, left, right, n_symbols + k)
        flat = flat[: offsets[-1]]
    return merges


@njit(cache=True)
def _apply(flat: IntArray, offsets: OffsetArray, rank: IntArray, n_symbols: int) -> None:
    write = 0
    start = offsets[0]
    nowhere = np.iinfo(np.int32).max
    for row in range(offsets.size - 1):
        size = offsets[row + 1] - start
        sequence = flat[start : start + size].copy()
        start = offsets[row + 1]
        while size > 1:
            best = nowhere
            for i in range(size - 1):
                best = min(best, rank[sequence[i], sequence[i + 1]])
            if best == nowhere:
                break
            i = 0
            kept = 0
            while i < size:
                if i + 1 < size and rank[sequence[i], sequence[i + 1]] == best:
                    sequence[kept] = n_symbols + best
                    i += 2
                else:
                    sequence[kept] = sequence[i]
                    i += 1
                kept += 1
            size = kept
        for i in range(size):
            flat[write + i] = sequence[i]
        write += size
        offsets[row + 1] = write


def apply_merges(
    flat: IntArray, offsets: OffsetArray, n_symbols: int, merges: list[tuple[int, int]]
) -> tuple[IntArray, OffsetArray]:
    """Apply learnt merges, the earliest learnt first, as they were learnt.

    Args:
        flat: (n,) symbols of all sequences.
        offsets: (sequences + 1,) sequence borders in ``flat``.
        n_symbols: Size of the alphabet the merges were learnt on.
        merges: What ``learn_merges`` gave.

    Returns:
        The merged symbols and their new borders; the arguments are left as they are.
    """
    flat, offsets = flat.astype(np.int32), offsets.astype(np.int64)
    total = n_symbols + len(merges)
    rank = np.full((total, total), np.iinfo(np.int32).max, np.int32)
    for k, (left, right) in enumerate(merges):
        rank[left, right] = k
    _apply(flat, offsets, rank, n_symbols)
    return flat[: offsets[-1]].copy(), offsets
