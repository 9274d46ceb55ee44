from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpipe.molecules.encoding.bpe import apply_merges, learn_merges

sequences = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=6)


def lay_end_to_end(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    borders = np.cumsum([0, *map(len, rows)])
    return np.array([i for row in rows for i in row], np.int32), borders.astype(np.int64)


def merge_slowly(row: list[int], n_symbols: int, merges: list[tuple[int, int]]) -> list[int]:
    """Each merge in turn, left to right: the definition."""
    for k, pair in enumerate(merges):
        out: list[int] = []
        for symbol in row:
            # A symbol that a merge just made is no part of the same merge: its number is new.
            if out and (out[-1], symbol) == pair:
                out[-1] = n_symbols + k
            else:
                out.append(symbol)
        row = out
    return row


@settings(deadline=None)
@given(sequences, st.integers(0, 8))
def test_merging_follows_its_definition(rows: list[list[int]], n_merges: int) -> None:
    flat, borders = lay_end_to_end(rows)
    merges = learn_merges(flat, borders, 4, n_merges)
    merged, new_borders = apply_merges(flat, borders, 4, merges)
    got = [merged[a:b].tolist() for a, b in pairwise(new_borders)]
    assert got == [merge_slowly(row, 4, merges) for row in rows]


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ([[0, 1, 0, 1, 2]], (0, 1)),
        ([[0], [1], [0], [1], [2, 3], [2, 3]], (2, 3)),  # pairs across sequences do not count
        ([[1, 1, 1], [2, 3, 2, 3]], (2, 3)),  # 1 1 1 holds the pair 1 1 once
    ],
)
def test_the_most_frequent_pair_comes_first(rows: list[list[int]], first: tuple[int, int]) -> None:
    assert learn_merges(*lay_end_to_end(rows), 4, 1) == [first]


def test_nothing_is_learnt_where_no_pair_comes_twice() -> None:
    assert learn_merges(*lay_end_to_end([[0, 1, 2, 3]]), 4, 5) == []


def test_the_arguments_are_left_alone() -> None:
    flat, borders = lay_end_to_end([[0, 1, 0, 1]])
    apply_merges(flat, borders, 4, [(0, 1)])
    learn_merges(flat, borders, 4, 1)
    assert flat.tolist() == [0, 1, 0, 1]
    assert borders.tolist() == [0, 4]
