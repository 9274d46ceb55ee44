import numpy as np
import pytest

from medpipe.molecules.properties.splits import hash_split, random_split, scaffold_split
from medpipe.molecules.scaffold import murcko_scaffold


def test_shares_are_met_exactly_at_random() -> None:
    split = random_split(1000, 0.1, 0.2, seed=1)
    assert np.unique(split, return_counts=True)[1].tolist() == [200, 700, 100]  # test, train, val
    assert (split != random_split(1000, 0.1, 0.2, seed=2)).any()


def test_by_hash_a_molecule_keeps_its_split_when_others_are_added(molecules: list[str]) -> None:
    some = hash_split(molecules[::2], 0.2, 0.2, seed=1)
    assert hash_split(molecules, 0.2, 0.2, seed=1)[::2].tolist() == some.tolist()
    assert (some != hash_split(molecules[::2], 0.2, 0.2, seed=2)).any()


def test_shares_are_met_by_hash_on_average() -> None:
    split = hash_split([str(number) for number in range(10_000)], 0.1, 0.2, seed=0)
    _, counts = np.unique(split, return_counts=True)  # test, train, val
    np.testing.assert_allclose(counts, [2000, 7000, 1000], atol=200)  # five standard deviations


@pytest.mark.parametrize("seed", range(5))
def test_no_scaffold_is_in_two_splits(molecules: list[str], seed: int) -> None:
    split = scaffold_split(molecules, 0.2, 0.2, seed)
    of_scaffold: dict[str, set[str]] = {}
    for smiles, name in zip(molecules, split, strict=True):
        of_scaffold.setdefault(murcko_scaffold(smiles), set()).add(name)
    assert all(len(names) == 1 for names in of_scaffold.values())
    assert set(split) == {"train", "val", "test"}


def test_a_large_scaffold_is_learnt_from() -> None:
    smiles = [f"{'C' * n}c1ccccc1" for n in range(30)] + [f"C1{'C' * n}C1" for n in range(1, 21)]
    split = scaffold_split(smiles, 0.2, 0.2, seed=0)
    assert set(split[:30]) == {"train"}
