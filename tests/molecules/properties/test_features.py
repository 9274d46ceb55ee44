import numpy as np
import pytest

from medpipe.molecules.properties.features import MoleculeFeatures, ragged, read_features

SMILES = ["CCO", "C", "no molecule", "c1ccccc1", "", "[Na+].[Cl-]"]


@pytest.fixture(scope="module")
def features() -> MoleculeFeatures:
    return read_features(SMILES, 1)[0]


def test_invalid_molecules_are_left_out(features: MoleculeFeatures) -> None:
    assert read_features(SMILES, 1)[1].tolist() == [0, 1, 3, 5]
    assert features.n_atoms.tolist() == [3, 1, 6, 2]
    assert features.n_bonds.tolist() == [2, 0, 6, 0]
    assert features.atoms.shape == (12, 8)
    assert features.bonds.shape == (8, 4)


def test_an_endless_chain_is_no_molecule() -> None:
    """Its distances alone would fill the memory."""
    assert read_features(["C" * 2000, "C" * 2001, "CC\0O"], 1)[1].tolist() == [0]


def test_rows_taken_are_the_molecules_alone(features: MoleculeFeatures) -> None:
    both = features.take([2, 0])
    alone = read_features(["c1ccccc1", "CCO"], 1)[0]
    for name, array in vars(alone).items():
        np.testing.assert_array_equal(getattr(both, name), array)


def test_ragged_groups() -> None:
    assert ragged(np.array([2, 0, 3]), np.array([2, 0, 1, 0])).tolist() == [2, 3, 4, 0, 1, 0, 1]


def test_nothing_is_no_error() -> None:
    features, places = read_features(["xx"], 1)
    assert len(features) == len(places) == 0
    assert features.descriptors.shape[1] == read_features(["C"], 1)[0].descriptors.shape[1]


def test_counted_fragments_are_rdkits(features: MoleculeFeatures) -> None:
    from rdkit.Chem import AllChem, MolFromSmiles

    expected = AllChem.GetHashedMorganFingerprint(MolFromSmiles("c1ccccc1"), 2, nBits=2048).GetNonzeroElements()
    found = features.counts[2]
    assert sorted(found[found > 0].tolist()) == sorted(expected.values())
