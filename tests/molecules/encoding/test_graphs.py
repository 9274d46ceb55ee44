import numpy as np
import pytest
from rdkit import Chem

from medpipe.molecules.encoding.graphs import MOSES_ATOMS, N_BOND_TYPES, GraphAlphabet, decode_graph, encode_graphs

CHARGED = GraphAlphabet((("C", 0), ("N", 0), ("O", 0), ("N", 1), ("O", -1)))


def test_molecules_come_back(molecules: list[str]) -> None:
    graphs = encode_graphs(molecules, 40)
    assert graphs.refused == {}
    assert graphs.rows.tolist() == list(range(len(molecules)))
    assert [decode_graph(*pair) for pair in zip(graphs.atoms, graphs.bonds, strict=True)] == molecules


@pytest.mark.parametrize(
    "smiles", ["c1cc[nH]c1", "C[n+]1ccccc1", "CC[N+](=O)[O-]", "C#N", "C[NH3+]", "c1ccc2[nH]cnc2c1"]
)
def test_hydrogens_and_charges_follow(smiles: str) -> None:
    graphs = encode_graphs([smiles], 12, CHARGED)
    assert graphs.refused == {}
    assert decode_graph(graphs.atoms[0], graphs.bonds[0], CHARGED) == smiles


def test_a_graph_by_hand() -> None:
    graphs = encode_graphs(["C=CBr"], 4)
    assert graphs.atoms.tolist() == [[1, 1, 7, 0]]
    assert graphs.bonds.tolist() == [[[0, 2, 0, 0], [2, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]]


def test_arrays_are_those_of_networks(molecules: list[str]) -> None:
    graphs = encode_graphs(molecules, 40)
    assert graphs.bonds.max() < N_BOND_TYPES
    assert graphs.atoms.max() < len(MOSES_ATOMS)
    assert (graphs.bonds == graphs.bonds.transpose(0, 2, 1)).all()


def test_the_order_of_atoms_does_not_matter(molecules: list[str]) -> None:
    random = np.random.default_rng(0)
    graphs = encode_graphs(molecules[:20], 40)
    for smiles, atoms, bonds in zip(molecules, graphs.atoms, graphs.bonds, strict=False):
        order = random.permutation(40)
        assert decode_graph(atoms[order], bonds[np.ix_(order, order)]) == smiles


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("hello", "no molecule"),
        ("", "no molecule"),
        ("CCCCCC", "6 heavy atoms; max_atoms is 5"),
        ("CC.O", "several fragments"),
        ("C[SiH3]", "atom Si has no type; there are C, N, O"),
        ("C[NH3+]", "atom N+1 has no type"),
        ("[13CH4]", "read as 'C'"),
        ("C[CH2]", "read as 'CC'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(smiles: str, reason: str) -> None:
    graphs = encode_graphs(["CC", smiles, "CO"], 5)
    assert graphs.rows.tolist() == [0, 2]
    assert graphs.atoms.tolist() == encode_graphs(["CC", "CO"], 5).atoms.tolist()
    assert reason in graphs.refused[1]


def test_what_rdkit_reads_but_not_again_is_refused() -> None:
    graphs = encode_graphs(["O=C(Nc1oc(C2CCCO2)nn#1)c1cc2c(oc1=O)=C[CH]C=CC=2"], 30)
    assert "RDKit does not read it the same way twice" in graphs.refused[0]


@pytest.mark.parametrize(
    ("atoms", "bonds"),
    [
        ([0, 0], [[0, 0], [0, 0]]),  # nothing
        ([1, 1], [[0, 0], [0, 0]]),  # two pieces
        ([1, 0], [[0, 1], [1, 0]]),  # a bond to padding
        ([3, 1], [[0, 3], [3, 0]]),  # oxygen with three bonds
    ],
)
def test_no_molecule_is_mended(atoms: list[int], bonds: list[list[int]]) -> None:
    assert decode_graph(atoms, bonds) == ""


def test_an_alphabet_is_learnt() -> None:
    alphabet = GraphAlphabet.learn(["CCO", "C[N+](C)(C)C", "hello"])
    assert alphabet.atoms == (("C", 0), ("N", 1), ("O", 0))


def test_stereo_is_dropped() -> None:
    graphs = encode_graphs(["C[C@H](N)O"], 5)
    assert decode_graph(graphs.atoms[0], graphs.bonds[0]) == Chem.CanonSmiles("CC(N)O")
