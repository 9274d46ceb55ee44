"""What is no molecule, and why not."""

import pytest
from rdkit import rdBase

from medpipe.molecules.metrics.parse import describe
from medpipe.molecules.metrics.validity import REASONS, canonical_smiles, invalid_reason

INVALID = {
    "": "empty",
    "C" * 3000: "length",
    "C1CC": "syntax",
    "CC(C": "syntax",
    "hello": "syntax",
    "CC(C)(C)(C)C": "valence",
    "O=C(=O)=O": "valence",
    "c1cccc1": "aromaticity",
    "cC": "aromaticity",
}


@pytest.mark.parametrize(("smiles", "reason"), INVALID.items())
def test_an_invalid_string_has_its_reason(smiles: str, reason: str) -> None:
    assert reason in REASONS
    with rdBase.BlockLogs():
        assert canonical_smiles(smiles) is None
        assert invalid_reason(smiles) == reason


@pytest.mark.parametrize("smiles", ["OCC", "C(C)O", "[H]OCC", "n1ccccc1C(=O)N", "[CH3][CH2]Br"])
def test_the_canonical_string_is_the_one_that_is_scored(smiles: str) -> None:
    described = describe(smiles)
    assert described is not None
    assert canonical_smiles(smiles) == described.smiles
