import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from medpipe.molecules.generation.sequence.fingerprints import N_BITS, N_FEATURES, fingerprints


def test_environments_are_counted() -> None:
    (features,) = fingerprints(["CCCCO"])
    counts = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=N_BITS).GetCountFingerprintAsNumPy(
        Chem.MolFromSmiles("CCCCO")
    )
    assert counts.max() > 1
    np.testing.assert_allclose(np.expm1(features[:N_BITS]), counts, rtol=1e-5)


def test_what_is_no_molecule_has_a_mark_and_nothing_else() -> None:
    features = fingerprints(["C(C", "", "C1CC", "CC"])
    assert features.shape == (4, N_FEATURES)
    assert (features[:, N_BITS] > 0).tolist() == [True, True, True, False]
    assert not features[:3, :N_BITS].any()


def test_two_ways_of_writing_a_molecule_are_one() -> None:
    one, other = fingerprints(["OCC", "CCO"])
    np.testing.assert_array_equal(one, other)
