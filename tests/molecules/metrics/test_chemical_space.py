"""The map, and the test by nearest neighbours."""

import numpy as np
import pandas as pd
import pytest

from medpipe.molecules.metrics.chemical_space import chemical_space

CHAINS = [f"{'C' * n}{end}" for n in range(4, 24) for end in ("O", "N", "=O")]
RINGS = [f"{end}c1ccc({'c2ccc(' * n}F{')cc2' * n})cc1" for n in range(4) for end in ("Cl", "Br", "O", "N", "S", "I")]


def test_each_set_has_as_many_as_the_smaller_one() -> None:
    space = chemical_space(CHAINS, RINGS)
    assert space["set"].value_counts().to_dict() == {"generated": len(RINGS), "reference": len(RINGS)}
    assert set(space.smiles[space["set"] == "reference"]) == set(RINGS)
    assert chemical_space(CHAINS, RINGS, n=5)["set"].value_counts().to_dict() == {"generated": 5, "reference": 5}


def test_sets_that_have_nothing_in_common_are_told_apart() -> None:
    assert chemical_space(CHAINS, RINGS).same.mean() > 0.95


def test_the_same_set_twice_is_not() -> None:
    assert chemical_space(RINGS, RINGS).same.mean() < 0.5  # the nearest of each is itself in the other set


def test_a_random_half_is_not_told_from_the_other(molecules: list[str]) -> None:
    shuffled = np.random.default_rng(0).permutation(molecules)
    same = chemical_space(shuffled[::2], shuffled[1::2]).same.mean()
    assert same == pytest.approx(0.5, abs=0.08)


def test_equally_near_neighbours_share_the_vote() -> None:
    """Four times ethanol: of the three others, all equally near, one is of the same set."""
    space = chemical_space(["CCO", "OCC"], ["C(O)C", "CCO"])
    assert space.same.tolist() == pytest.approx([1 / 3] * 4)


def test_clusters_stay_together_on_the_map(molecules: list[str]) -> None:
    space = chemical_space(molecules, CHAINS * 8, n=50)
    assert np.isfinite(space[["x", "y"]]).all(axis=None)
    centres = space.groupby("set")[["x", "y"]].mean()
    spread = space.groupby("set")[["x", "y"]].std().mean(axis=None)
    assert np.hypot(*(centres.loc["generated"] - centres.loc["reference"])) > spread


def test_the_map_follows_from_its_seed(molecules: list[str]) -> None:
    first, again = (chemical_space(molecules, molecules, n=50) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert chemical_space(molecules, molecules, n=9, seed=1).smiles.tolist() != first.smiles.tolist()[:9]


@pytest.mark.parametrize(("generated", "reference"), [([], RINGS), (RINGS, []), (["CCO"], ["CCN"])])
def test_few_molecules_make_a_small_map(generated: list[str], reference: list[str]) -> None:
    assert len(chemical_space(generated, reference)) == 2 * min(len(generated), len(reference))
