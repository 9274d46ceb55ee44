from itertools import islice

import numpy as np
import torch

from medpipe.molecules.encoding.batches import TokenBatches, pad
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import END, PAD, START


def take(batches: TokenBatches, n: int) -> list[torch.Tensor]:
    return list(islice(batches, n))


def test_padding(store: TokenStore) -> None:
    padded = pad(store, np.array([0, 5, 9]))
    for row, tokens in zip((0, 5, 9), padded.tolist(), strict=True):
        wanted = [START, *store.ids(row), END]
        assert tokens == wanted + [PAD] * (len(tokens) - len(wanted))


def test_the_order_follows_from_the_seed(store: TokenStore) -> None:
    rows = store.rows("train")
    one, same, other = (take(TokenBatches(store, rows, 16, seed), 3) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_resumed_run_sees_what_it_would_have_seen(store: TokenStore) -> None:
    rows = store.rows("train")
    whole = take(TokenBatches(store, rows, 16, 0), 60)
    assert len(rows) // 16 < 60, "more than one epoch"
    rest = take(TokenBatches(store, rows, 16, 0, first=lambda: 37), 23)
    assert all(torch.equal(a, b) for a, b in zip(whole[37:], rest, strict=True))


def test_an_epoch_holds_each_molecule_once(store: TokenStore) -> None:
    rows = store.rows("train")
    n = len(rows) // 16
    seen = [
        store.vocabulary.decode(row) for batch in take(TokenBatches(store, rows, 16, 0), n) for row in batch.tolist()
    ]
    assert len(seen) == len(set(seen)) == 16 * n
    assert set(seen) <= {store.smiles(row) for row in rows}


def test_a_batch_is_of_about_one_length(store: TokenStore) -> None:
    batches = take(TokenBatches(store, store.rows("train"), 16, 0), 15)
    padding = np.mean([float((batch == PAD).float().mean()) for batch in batches])
    assert padding < 0.06


def test_few_molecules_make_a_small_batch(store: TokenStore) -> None:
    assert len(take(TokenBatches(store, store.rows("train")[:5], 16, 0), 1)[0]) == 5
