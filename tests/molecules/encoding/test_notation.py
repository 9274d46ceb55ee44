import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.notation import Notation, read_symbols, split_symbols, write_symbols

SELFIES_SYMBOLS = ["[C]", "[=C]", "[N]", "[Branch1]", "[Ring1]", "[=Branch1]", "[O]", "[#N]", "[Ring2]"]


@pytest.mark.parametrize(
    ("smiles", "symbols"),
    [
        ("CClBr", ["C", "Cl", "Br"]),
        ("[nH]c%12C%(123)", ["[nH]", "c", "%12", "C", "%(123)"]),
        ("F/C=C\\F", ["F", "/", "C", "=", "C", "\\", "F"]),
        ("[13C@@H](N)[O-]", ["[13C@@H]", "(", "N", ")", "[O-]"]),
        ("N->[Pt]<-N", ["N", "->", "[Pt]", "<-", "N"]),
        ("", []),
    ],
)
def test_symbols_of_smiles(smiles: str, symbols: list[str]) -> None:
    assert split_symbols(smiles) == symbols


def test_symbols_of_selfies() -> None:
    assert split_symbols("[C][=C].[Cl-1]", "selfies") == ["[C]", "[=C]", ".", "[Cl-1]"]


@pytest.mark.parametrize(
    ("text", "notation", "named"),
    [
        ("CCX", "smiles", "SMILES 'CCX': character 'X' at position 3"),
        ("C[nH", "smiles", r"'\[' at position 2"),
        ("[C]C", "selfies", "SELFIES .* 'C' at position 4"),
    ],
)
def test_an_unknown_character_is_named(text: str, notation: Notation, named: str) -> None:
    with pytest.raises(InputError, match=named):
        split_symbols(text, notation)


def test_a_writing_in_selfies_is_that_of_its_paper() -> None:
    """Benzene, as in the documentation of the package selfies."""
    assert write_symbols("c1ccccc1", "selfies") == "[C][=C][C][=C][C][=C][Ring1][=Branch1]"


def test_molecules_come_back_from_selfies(molecules: list[str]) -> None:
    returned = [read_symbols(write_symbols(smiles, "selfies"), "selfies") for smiles in molecules]
    assert [Chem.CanonSmiles(smiles) for smiles in returned] == molecules


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("O=Cl(=O)(=O)O", "SELFIES cannot write it .*constraints"),
        ("C[*]", "cannot write it"),
        ("hello", "cannot write"),
    ],
)
def test_what_selfies_cannot_write_is_named(smiles: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        write_symbols(smiles, "selfies")
    assert smiles in str(raised.value)


@given(st.lists(st.sampled_from(SELFIES_SYMBOLS), min_size=1, max_size=30).map("".join))
def test_any_line_of_selfies_is_a_molecule(text: str) -> None:
    assert Chem.MolFromSmiles(read_symbols(text, "selfies")) is not None
