"""One pass a molecule: validity, counts, and the values of RDKit's own functions."""

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import QED, Crippen, Descriptors, rdFingerprintGenerator
from rdkit.Contrib.SA_Score import sascorer

from medpipe.core import progress
from medpipe.molecules.generation.novel import novel_and_valid
from medpipe.molecules.metrics.fingerprints import unpack_bytes
from medpipe.molecules.metrics.fragments import (
    brics_fragments,
    cosine_similarities,
    cosine_similarity,
    count_names,
    murcko_scaffold,
)
from medpipe.molecules.metrics.parse import describe, read_molecules
from medpipe.molecules.properties.features import read_features

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize("smiles", ["", "C1CC", "c1cccc1", "CN(C)(C)C", "not a molecule", "C\x00C"])
def test_invalid_strings_have_no_description(smiles: str) -> None:
    assert describe(smiles) is None


def test_what_is_left_out_changes_nothing_else() -> None:
    whole = describe(ASPIRIN, with_physchem=True)
    light = describe(ASPIRIN, with_filters=False, with_quality=False, with_physchem=True)
    assert whole is not None
    assert light is not None
    assert np.isnan(light.properties).tolist() == [False, True, True, False]
    assert light._replace(properties=whole.properties, passes_filters=whole.passes_filters) == whole


@pytest.mark.parametrize(
    "smiles",
    [
        *(ASPIRIN, "[H][H]", "[2H]OC", "C[C@H](N)C(=O)O", "c1ccc2c(c1)[nH]c1ccccc12", "CCN.Cl"),
        *("C1CCCCCCCCC1", "CC1CC2(C1)CCC1CC2C1", "CC(O)C(N)Cl", "C[S@](=O)CC[N+](=O)[O-]", "C" * 60, "[Na+].[Cl-]"),
    ],
)
def test_properties_are_those_of_rdkit(smiles: str) -> None:
    mol = Chem.MolFromSmiles(Chem.CanonSmiles(smiles))
    description = describe(smiles)
    assert description is not None
    expected = (Crippen.MolLogP(mol), sascorer.calculateScore(mol), QED.qed(mol), Descriptors.MolWt(mol))
    assert description.properties == pytest.approx(expected, abs=1e-9)


def test_fingerprint_is_rdkits_morgan_fingerprint() -> None:
    description = describe(ASPIRIN)
    assert description is not None
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(ASPIRIN))
    words = unpack_bytes([description.fingerprint])
    assert np.array_equal(np.unpackbits(words.view(np.uint8), bitorder="little"), bits)
    assert DataStructs.CreateFromBinaryText(description.fingerprint).GetNumOnBits() == bits.sum()


@pytest.mark.parametrize(
    ("smiles", "passes"),
    [
        ("CC(=O)Nc1ccc(O)cc1", True),
        ("CC[N+](C)(C)C", False),  # charged
        ("CC[Si](C)(C)C", False),  # silicon
        ("C1CCCCCCC1", False),  # ring of eight
        ("C1CCCCCC1", True),
        ("CC1CO1", False),  # epoxide, MCF5
        ("CC=O", False),  # aldehyde, MCF7
        ("CCCBr", False),  # alkyl halide, MCF4
        ("O=C1C=CC(=O)C=C1", False),  # quinone, PAINS
        ("C[C@H](N)CO", True),  # stereo marks do not matter
    ],
)
def test_filters(smiles: str, passes: bool) -> None:
    description = describe(smiles)
    assert description is not None
    assert description.passes_filters is passes


def test_strings_are_grouped_by_molecule_in_order_of_appearance() -> None:
    molecules = read_molecules(["OCC", "bad", "C", "CCO", "OCC", ""], n_jobs=1)
    assert molecules.smiles == ["CCO", "C"]
    assert (molecules.n, molecules.n_valid) == (6, 4)
    assert molecules.row_of.tolist() == [0, 1, 0, 0]
    assert molecules.counts.tolist() == [3, 1]


@pytest.mark.parametrize("strings", [[], ["bad", ""]])
def test_nothing_valid_gives_empty_arrays(strings: list[str]) -> None:
    molecules = read_molecules(strings, n_jobs=1)
    assert molecules.n == len(strings)
    assert molecules.fingerprints.shape == (0, 16)
    assert molecules.properties.shape == (0, 4)
    assert molecules.counts.tolist() == []


def test_processes_give_what_one_gives() -> None:
    strings = ["C" * n for n in range(1, 20)] + ["x"]
    one, two = read_molecules(strings, n_jobs=1), read_molecules(strings, n_jobs=2)
    assert one.smiles == two.smiles
    assert np.array_equal(one.properties, two.properties)


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [
        ("CCO", None),
        ("Cc1ccccc1", None),
        ("Cc1ccc(-c2ccncc2)cc1", "c1ccc(-c2ccncc2)cc1"),
        ("C1CC2CCC1C2", "C1CC2CCC1C2"),
    ],
)
def test_scaffolds_have_two_rings_or_more(smiles: str, scaffold: str | None) -> None:
    assert murcko_scaffold(Chem.MolFromSmiles(smiles)) == scaffold


def test_brics_cuts_an_ether() -> None:
    assert sorted(brics_fragments(Chem.MolFromSmiles("COc1ccccc1"))) == ["[16*]c1ccccc1", "[3*]OC"]


@pytest.mark.parametrize(
    ("reference", "generated", "expected"),
    [
        ({"a": 1}, {"a": 7}, 1.0),
        ({"a": 1}, {"b": 1}, 0.0),
        ({"a": 3, "b": 4}, {"a": 1}, 0.6),
        ({}, {"a": 1}, None),
        ({"a": 1}, {}, None),
        ({"a": 4_000_000_000}, {"a": 4_000_000_000}, 1.0),  # squares overflow 64-bit integers
    ],
)
def test_cosine(reference: dict[str, int], generated: dict[str, int], expected: float | None) -> None:
    assert cosine_similarity(reference, generated) == (expected if expected is None else pytest.approx(expected))


def test_cosines_of_many_weightings_are_those_of_each() -> None:
    names = [["a", "b"], ["b", "b", "c"], []]
    weights = np.array([[1, 0, 2], [2, 3, 0], [0, 0, 1]])
    reference = {"a": 2, "b": 1, "d": 5}
    expected = [cosine_similarity(reference, +count_names(names, row)) for row in weights.tolist()]
    assert expected[2] is None
    assert cosine_similarities(reference, names, weights) == pytest.approx([*expected[:2], np.nan], nan_ok=True)


def test_progress_counts_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int]] = []
    monkeypatch.setattr(progress, "LISTENERS", [lambda what, done, seconds: told.append((what, done))])
    smiles = [f"{'C' * n}O" for n in range(1, 41)]
    read_molecules([*smiles, "CO", "no molecule"], n_jobs=1)
    read_features(smiles, 1)
    novel_and_valid(pd.DataFrame({"smiles": smiles}), pd.Series(["CO"]), n_jobs=1)
    assert told == [("reading molecules", 41), ("Reading molecules", 40), ("Keeping novel and valid molecules", 40)]
