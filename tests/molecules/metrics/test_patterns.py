"""The screen must give the verdict of trying every pattern."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import QED

from medpipe.molecules.metrics.alerts import MCF, PAINS_OF_MOSES, moses_alerts
from medpipe.molecules.metrics.patterns import PatternScreen, count_features

MOLECULES = (
    "CCO",
    "c1ccccc1O",
    "O=CC1CC1",
    "C1NC1c1ccncc1",
    "ClC(Cl)(Cl)Cl",
    "CC(=O)C=CC#N",
    "N=NC",
    "FC(F)(F)C(F)(F)C(F)(F)F",
    "Oc1ccc(N=Nc2ccccc2)cc1",
    "O=C1C=CC(=O)C=C1",
    "CSSC",
    "C[N+](C)(C)CC(=O)[O-]",
    "[2H]OC",
    "CN(C)c1ccc(C=C2SC(=S)NC2=O)cc1",
)


@pytest.fixture(scope="module")
def alerts() -> PatternScreen:
    return PatternScreen.from_smarts(moses_alerts().values())


def test_moses_has_22_mcf_and_480_pains_alerts() -> None:
    assert len(moses_alerts()) == 502
    assert moses_alerts().items() >= MCF.items()
    assert moses_alerts().items() >= PAINS_OF_MOSES.items()


@pytest.mark.parametrize("smiles", MOLECULES)
def test_screen_agrees_with_trying_every_pattern(alerts: PatternScreen, smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert alerts.count(mol) == sum(mol.HasSubstructMatch(pattern) for pattern in alerts.patterns)
    assert alerts.matches_any(mol) == any(mol.HasSubstructMatch(pattern) for pattern in alerts.patterns)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(MOLECULES), min_size=1, max_size=3))
def test_features_with_hydrogens_never_refuse_a_match_without_them(parts: list[str]) -> None:
    mol = Chem.MolFromSmiles(".".join(parts))
    screen = PatternScreen(QED.StructuralAlerts)
    features = count_features(Chem.AddHs(mol))
    assert screen.count(mol, features) == sum(mol.HasSubstructMatch(pattern) for pattern in screen.patterns)


@pytest.mark.parametrize(
    ("smarts", "smiles", "is_candidate"),
    [
        ("[#7]-[#7]", "NN", True),
        ("[#7]-[#7]", "NCN", False),
        ("C=O", "CO", False),
        ("C=O", "CC=O", True),
        ("c", "C1CCCCC1", False),
        ("[#6]", "c1ccccc1", True),
        ("[C,N]S", "OS", True),
        ("[!#6]", "CC", True),
        ("[$(CO)]", "CC", True),
        ("[N+]", "CN", False),
        ("C1CC1", "C1CCC1", False),
        ("C1CC1", "C1CC2CC12", True),
    ],
)
def test_needs_are_read_off_what_is_certain(smarts: str, smiles: str, is_candidate: bool) -> None:
    screen = PatternScreen.from_smarts([smarts])
    features = count_features(Chem.MolFromSmiles(smiles))
    assert bool(list(screen.candidates(features))) == is_candidate


def test_what_is_no_smarts_is_named() -> None:
    with pytest.raises(ValueError, match=r"not a SMARTS pattern: '\[#6'"):
        PatternScreen.from_smarts(["[#6"])
