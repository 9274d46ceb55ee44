"""Train, val and test: by a hash, at random, or by scaffold, so that test molecules have cores that train has not."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medpipe.molecules.chance import chance
from medpipe.molecules.scaffold import murcko_scaffold

SPLITS = ("train", "val", "test")


def hash_split(smiles: Sequence[str], val_fraction: float, test_fraction: float, seed: int) -> npt.NDArray[np.str_]:
    """Split of each molecule, which it keeps when others are added; shares are met on average."""
    of_the_rest = val_fraction / (1 - test_fraction)
    is_test = np.array([chance(f"test/{molecule}", seed) < test_fraction for molecule in smiles], bool)
    is_val = np.array([chance(f"val/{molecule}", seed) < of_the_rest for molecule in smiles], bool)
    return np.where(is_test, "test", np.where(is_val, "val", "train"))


def random_split(n: int, val_fraction: float, test_fraction: float, seed: int) -> npt.NDArray[np.str_]:
    """Split of each of ``n`` molecules, (n,)."""
    n_val, n_test = round(val_fraction * n), round(test_fraction * n)
    split = np.full(n, "train", dtype="<U5")
    order = np.random.default_rng(seed).permutation(n)
    split[order[:n_test]] = "test"
    split[order[n_test : n_test + n_val]] = "val"
    return split


def scaffold_split(smiles: Sequence[str], val_fraction: float, test_fraction: float, seed: int) -> npt.NDArray[np.str_]:
    """Split of each molecule; all of one Murcko scaffold (Bemis and Murcko, 1996) are in one split.

    Scaffolds with more molecules than half of val or test go to train first; the others follow in an order drawn with
    ``seed``, each into the first of train, val and test that has room, as chemprop's ``scaffold_balanced`` does (Yang
    et al., JCIM 2019). Molecules without a ring share the empty scaffold.

    Args:
        smiles: Valid molecules, (n,).
        val_fraction: Share of val.
        test_fraction: Share of test.
        seed: Of the order.
    """
    groups: dict[str, list[int]] = {}
    for row, scaffold in enumerate(map(murcko_scaffold, smiles)):
        groups.setdefault(scaffold, []).append(row)
    n, n_val, n_test = len(smiles), round(val_fraction * len(smiles)), round(test_fraction * len(smiles))
    room = {"train": n - n_val - n_test, "val": n_val}
    half = min(n_val, n_test) / 2
    large = [group for group in groups.values() if len(group) > half]
    small = [group for group in groups.values() if len(group) <= half]
    rng = np.random.default_rng(seed)
    split = np.full(n, "test", dtype="<U5")
    for group in [large[i] for i in rng.permutation(len(large))] + [small[i] for i in rng.permutation(len(small))]:
        place = next((name for name in ("train", "val") if len(group) <= room[name]), "test")
        if place != "test":
            room[place] -= len(group)
        split[group] = place
    return split
