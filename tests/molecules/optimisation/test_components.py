"""What is measured of a molecule, against RDKit's own functions and values from outside."""

import pytest
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors
from rdkit.Contrib.SA_Score import sascorer

from medpipe.molecules.metrics.parse import describe
from medpipe.molecules.optimisation.components import descriptors, pattern_verdict, read, similarity_to
from medpipe.molecules.optimisation.params import Descriptor, PatternParams, SimilarityParams

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
MOLECULES = [ASPIRIN, "C[C@H](N)C(=O)O", "c1ccc2c(c1)[nH]c1ccccc12", "CCCCCC", "C1CCCCCCCCC1CBr"]


def test_every_kind_is_measured() -> None:
    assert set(descriptors()) == set(Descriptor.__args__)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_descriptors_are_those_of_rdkit(smiles: str) -> None:
    mol, molecule = Chem.MolFromSmiles(smiles), read(smiles)
    assert molecule is not None
    found = {kind: measure(molecule) for kind, measure in descriptors().items()}
    described = describe(smiles)
    assert described is not None
    assert found == pytest.approx(
        {
            "qed": QED.qed(mol),
            "sa": sascorer.calculateScore(mol),
            "log_p": Crippen.MolLogP(mol),
            "weight": Descriptors.MolWt(mol),
            "tpsa": rdMolDescriptors.CalcTPSA(mol),
            "h_bond_donors": rdMolDescriptors.CalcNumHBD(mol),
            "h_bond_acceptors": rdMolDescriptors.CalcNumHBA(mol),
            "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds(mol),
            "rings": rdMolDescriptors.CalcNumRings(mol),
            "aromatic_rings": rdMolDescriptors.CalcNumAromaticRings(mol),
            "heavy_atoms": mol.GetNumHeavyAtoms(),
            "moses_filters": float(described.passes_filters),
            "penalised_log_p": found["penalised_log_p"],
        },
        abs=1e-6,
    )


@pytest.mark.parametrize(("smiles", "ring"), [("CCCCCC", 0), ("C1CCCCC1", 0), ("C1CCCCCCCCC1", 4)])
def test_penalised_log_p_is_its_three_normalised_terms(smiles: str, ring: int) -> None:
    """Constants and formula as in the code of Jin et al. (github.com/wengong-jin/hgraph2graph, props/properties.py)."""
    mol, molecule = Chem.MolFromSmiles(smiles), read(smiles)
    assert molecule is not None
    expected = (
        (Crippen.MolLogP(mol) - 2.4570953396190123) / 1.434324401111988
        + (-sascorer.calculateScore(mol) + 3.0525811293166134) / 0.8335207024513095
        + (-ring + 0.0485696876403053) / 0.2860212110245455
    )
    assert molecule.penalised_log_p() == pytest.approx(expected, abs=1e-6)


def test_similarity_is_the_highest() -> None:
    measure = similarity_to(SimilarityParams(kind="similarity", smiles=("CCO", ASPIRIN)))
    aspirin, other = read("O=C(O)c1ccccc1OC(C)=O"), read("CCCCCCN")
    assert aspirin is not None
    assert other is not None
    assert measure(aspirin) == 1
    assert 0 < measure(other) < 0.5


@pytest.mark.parametrize(
    ("kind", "smiles", "verdict"),
    [("alerts", "CCBr", 0), ("alerts", "CCO", 1), ("required", "OCCBr", 1), ("required", "CCBr", 0)],
)
def test_patterns(kind: str, smiles: str, verdict: float) -> None:
    molecule = read(smiles)
    assert molecule is not None
    smarts = ("[Br]", "[I]") if kind == "alerts" else ("[Br]", "[OH]")
    assert pattern_verdict(PatternParams(kind=kind, smarts=smarts))(molecule) == verdict


@pytest.mark.parametrize("smiles", ["", "C1CC", "c1cccc1", "CN(C)(C)C"])
def test_what_is_no_molecule_is_none(smiles: str) -> None:
    assert read(smiles) is None
