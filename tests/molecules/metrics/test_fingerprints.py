"""Packed bits against plain NumPy."""

import numpy as np
import pytest

from medpipe.molecules.metrics.fingerprints import N_BITS, mean_similarities, nearest, pack


def _bits(n: int, seed: int, density: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = rng.uniform(density / 3, density * 2, size=(n, 1))
    return (rng.random((n, N_BITS)) < shares).astype(np.uint8)


def _tanimoto(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    common = a.astype(np.int64) @ b.T.astype(np.int64)
    union = a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :].astype(np.int64) - common
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nearest_is_the_highest_tanimoto_similarity(n_jobs: int) -> None:
    queries, references = _bits(700, 0), _bits(900, 1)
    queries[:20] = references[5:25]
    similarity, row = nearest(pack(queries), pack(references), n_jobs)
    expected = _tanimoto(queries, references)
    assert np.allclose(similarity, expected.max(axis=1), atol=1e-12)
    assert np.allclose(expected[np.arange(700), row], similarity)
    assert np.array_equal(row[:20], np.arange(5, 25))


@pytest.mark.parametrize(
    ("query", "reference", "expected"),
    [
        ([0, 1, 2], [[1, 2, 3]], 0.5),
        ([0, 1], [[2, 3]], 0.0),
        ([], [[]], 1.0),
        ([], [[5]], 0.0),
        ([1023], [[0], [0, 1023]], 0.5),
        (range(N_BITS), [[3]], 1 / N_BITS),
    ],
)
def test_nearest_by_hand(query: list[int], reference: list[list[int]], expected: float) -> None:
    similarity, _ = nearest(pack(_of([query])), pack(_of(reference)), 1)
    assert similarity[0] == pytest.approx(expected)


def _of(rows: list[list[int]]) -> np.ndarray:
    bits = np.zeros((len(rows), N_BITS), dtype=np.uint8)
    for row, on in zip(bits, rows, strict=True):
        row[list(on)] = 1
    return bits


def test_mean_similarities_count_repeated_molecules() -> None:
    bits = _bits(60, 2)
    counts = np.random.default_rng(3).integers(1, 4, size=60)
    first, second = mean_similarities(pack(bits), counts, 2)
    every = _tanimoto(bits, np.repeat(bits, counts, axis=0))
    assert np.allclose(first, every.mean(axis=1))
    assert np.allclose(second, (every**2).mean(axis=1))
