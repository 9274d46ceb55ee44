import pytest

from medpipe.molecules.scaffold import murcko_scaffold


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [("CCO", ""), ("Cc1ccccc1", "c1ccccc1"), ("Cc1ccc(CN2CCCC2)cc1", "c1ccc(CN2CCCC2)cc1")],
)
def test_scaffold_is_rings_and_what_links_them(smiles: str, scaffold: str) -> None:
    assert murcko_scaffold(smiles) == scaffold


def test_a_hydrogen_alone_is_not_worth_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    assert murcko_scaffold("[H+].CCO") == ""
    assert capfd.readouterr().err == ""
