"""Training batches out of a token store, in an order that follows from the seed alone."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import END, PAD, START

_BUCKET_BATCHES = 50
"""Batches that are sorted by length together: enough that hardly any padding is left, few enough to stay random."""


class TokenBatches(IterableDataset[Tensor]):
    """Endless batches of molecules of about the same length.

    Args:
        store: The molecules.
        rows: Which of them.
        batch_size: Molecules a batch; no more than there are.
        seed: Seed of the order.
        first: Tells, when iteration starts, how many batches have been used: a resumed run goes on with the next.
    """

    def __init__(
        self,
        store: TokenStore,
        rows: npt.NDArray[np.int64],
        batch_size: int,
        seed: int,
        first: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store, self._rows, self._seed, self._first = store, rows, seed, first
        self._batch_size = min(batch_size, len(rows))

    def __iter__(self) -> Iterator[Tensor]:
        """Batches (B, T) of token ids: start, molecule, end, padding."""
        batches_an_epoch = len(self._rows) // self._batch_size
        epoch, skip = divmod(self._first(), batches_an_epoch)
        while True:
            for rows in self._order(epoch, batches_an_epoch)[skip:]:
                yield torch.from_numpy(pad(self._store, rows))
            epoch, skip = epoch + 1, 0

    def _order(self, epoch: int, n_batches: int) -> list[npt.NDArray[np.int64]]:
        """The batches of an epoch, as rows; the few molecules that fill no batch wait for the next epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        shuffled = rng.permutation(self._rows)[: n_batches * self._batch_size]
        bucket_size = _BUCKET_BATCHES * self._batch_size
        batches: list[npt.NDArray[np.int64]] = []
        for start in range(0, len(shuffled), bucket_size):
            bucket = shuffled[start : start + bucket_size]
            bucket = bucket[np.argsort(self._store.lengths[bucket], kind="stable")]
            batches.extend(np.split(bucket, len(bucket) // self._batch_size))
        return [batches[i] for i in rng.permutation(len(batches))]


def pad(store: TokenStore, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Molecules as one array (B, T): start, molecule, end, padding up to the longest."""
    lengths, starts = store.lengths[rows], np.asarray(store.borders)[rows]
    columns = np.arange(int(lengths.max()))
    inside = columns < lengths[:, None]
    padded = np.full((len(rows), len(columns) + 2), PAD, np.int64)
    padded[:, 0] = START
    padded[:, 1:-1][inside] = store.tokens[(starts[:, None] + columns)[inside]]
    padded[np.arange(len(rows)), lengths + 1] = END
    return padded
