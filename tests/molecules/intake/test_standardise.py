import pytest

from medpipe.molecules.intake.cleaning import clean
from medpipe.molecules.intake.params import IngestSmilesParams


@pytest.mark.parametrize(
    ("params", "text", "canonical"),
    [
        # Salts as they are sold: aspirin's sodium salt, a hydrochloride.
        ({"fragments": "largest"}, "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "CC(=O)Oc1ccccc1C(=O)[O-]"),
        ({"fragments": "largest", "charges": "neutralise"}, "C[NH2+]C.[Cl-]", "CNC"),
        ({"charges": "neutralise"}, "[NH3+]CC(=O)[O-]", "NCC(=O)O"),
        ({"charges": "neutralise"}, "C[N+](C)(C)CC(=O)O", "C[N+](C)(C)CC(=O)O"),
        ({"charges": "neutralise"}, "C[N+](=O)[O-]", "C[N+](=O)[O-]"),
        ({"charges": "refuse"}, "C[N+](=O)[O-]", "C[N+](=O)[O-]"),
        ({"isotopes": "remove"}, "[2H]C([2H])O", "CO"),
        ({"isotopes": "remove"}, "[13CH3]O", "CO"),
        ({"isotopes": "keep"}, "[13CH3]O", "[13CH3]O"),
        ({"stereo": "remove"}, "C/C=C/[C@H](N)O", "CC=CC(N)O"),
        ({"heavy_atoms": (3, 3), "weight_da": (46, 46.1)}, "CCO", "CCO"),
        ({"moses_filters": True}, "CC(=O)Nc1ccccc1", "CC(=O)Nc1ccccc1"),
    ],
)
def test_a_molecule_is_brought_into_shape(params: dict, text: str, canonical: str) -> None:
    assert clean(text, IngestSmilesParams(**params)).smiles == canonical


@pytest.mark.parametrize(
    ("params", "text", "code", "reason"),
    [
        ({"charges": "refuse"}, "CC(=O)[O-]", "charged", "net charge -1"),
        ({"isotopes": "refuse"}, "[13CH3]O", "isotope", "isotopes is 'refuse'"),
        ({"heavy_atoms": (None, 2)}, "CCO", "size", "3 heavy atoms, above the bound 2 of heavy_atoms"),
        ({"heavy_atoms": (4, None)}, "CCO", "size", "3 heavy atoms, below the bound 4"),
        ({"weight_da": (None, 46)}, "CCO", "weight", "46.1 Da, above the bound 46 of weight_da"),
        ({"moses_filters": True}, "CC(=O)C=[N+]=[N-]", "moses_filters", "filters of MOSES"),
        ({"moses_filters": True}, "C1CCCCCCC1", "moses_filters", "filters of MOSES"),
        ({"fragments": "largest", "allowed_elements": ["C"]}, "CCO.C", "disallowed_atom", "contains O"),
    ],
)
def test_what_is_not_wanted_is_refused(params: dict, text: str, code: str, reason: str) -> None:
    verdict = clean(text, IngestSmilesParams(**params))
    assert (verdict.smiles, verdict.code) == ("", code)
    assert reason in verdict.reason
