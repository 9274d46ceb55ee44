import pytest

from medpipe.molecules.intake.cleaning import clean, clean_many
from medpipe.molecules.intake.params import IngestSmilesParams


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("OCC", "CCO"),
        (" C1=CC=CC=C1 ", "c1ccccc1"),
        ("[CH3][CH2][OH]", "CCO"),
        ("F/C=C/F", "F/C=C/F"),
    ],
)
def test_a_molecule_becomes_canonical(text: str, canonical: str) -> None:
    assert clean(text, IngestSmilesParams()).smiles == canonical


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", "empty", "no SMILES"),
        ("   ", "empty", "no SMILES"),
        ("C1CC", "not_parsable", "parser"),
        ("hello", "not_parsable", "parser"),
        ("C(C)(C)(C)(C)C", "not_parsable", "valence"),
        ("c1cccc1", "not_parsable", "kekulize"),
        ("C" * 101, "too_long", "101 characters; max_length is 100"),
        ("C" * 10_000_000, "too_long", "10000000 characters"),
        ("C\x00C", "bad_character", r"\x00"),
        ("CC\ufffdO", "bad_character", "\ufffd"),
        ("CCO ethanol", "bad_character", "' '"),
        ("C[Si](C)C", "disallowed_atom", "Si"),
        ("C*", "disallowed_atom", "*"),
        ("CC.O", "several_fragments", "fragments is"),
        ("CC~C", "any_bond", "bond of any order"),
    ],
)
def test_a_reject_says_why(text: str, code: str, reason: str) -> None:
    (verdict,) = clean_many([text], IngestSmilesParams())
    assert (verdict.smiles, verdict.code) == ("", code)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("params", "text", "canonical"),
    [
        ({"stereo": "remove"}, "C[C@H](N)O", "CC(N)O"),
        ({"fragments": "keep"}, "CC.O", "CC.O"),
        ({"allowed_elements": ("C", "Si")}, "C[SiH2]C", "C[SiH2]C"),
        ({"max_length": 200}, "C" * 150, "C" * 150),
    ],
)
def test_parameters_widen_what_is_taken(params: dict, text: str, canonical: str) -> None:
    assert clean(text, IngestSmilesParams(**params)).smiles == canonical


def test_the_scaffold_comes_on_demand() -> None:
    assert clean("CCc1ccccc1", IngestSmilesParams(), with_scaffold=True).scaffold == "c1ccccc1"
    assert clean("CCc1ccccc1", IngestSmilesParams()).scaffold == ""


def test_rdkit_stays_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    clean_many(["hello", "C(C)(C)(C)(C)C"], IngestSmilesParams())
    assert capfd.readouterr().err == ""
