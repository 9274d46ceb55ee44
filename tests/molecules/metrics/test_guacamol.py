"""GuacaMol's scores against the package guacamol 0.5.5 (MIT), run once with ``scipy.histogram`` put back."""

import numpy as np
import pytest

from medpipe.molecules.metrics.guacamol import N_MEASURES, fcd_score, kl_score, kl_scores_without, measures
from medpipe.molecules.metrics.parse import read_molecules

STEREO = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O"]


@pytest.fixture(scope="module")
def table(molecules: list[str]) -> dict[str, np.ndarray]:
    """Measures of the molecules of the tests, in the parts that guacamol was given."""
    parts = {
        "baseline": molecules[::2],
        "third": molecules[1::3],
        "first": molecules[:60],
        "baseline and alanine": [*molecules[::2], STEREO[0]],
        "first and alanine": [*molecules[:60], *STEREO],
    }
    return {name: _measures(smiles) for name, smiles in parts.items()}


def _measures(smiles: list[str]) -> np.ndarray:
    return measures(read_molecules(smiles, n_jobs=1, with_physchem=True).physchem, 1)


@pytest.mark.parametrize(
    ("baseline", "sampled", "expected"),
    [
        ("baseline", "third", 0.9697804601659401),
        ("baseline", "first", 0.7837042419777942),
        ("baseline and alanine", "first and alanine", 0.8024695367123584),
    ],
)
def test_kl_score_is_that_of_guacamol(
    table: dict[str, np.ndarray], baseline: str, sampled: str, expected: float
) -> None:
    assert kl_score(table[baseline], table[sampled]) == pytest.approx(expected, abs=1e-12)


def test_molecules_that_differ_in_stereo_marks_alone_count_once(table: dict[str, np.ndarray]) -> None:
    assert len(table["first and alanine"]) == 61


def test_equal_sets_score_one(table: dict[str, np.ndarray]) -> None:
    assert kl_score(table["third"], table["third"]) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("smiles", [[], ["CCO"], ["CCO", "CCO"], ["CCO", "OCC"]])
def test_one_molecule_has_no_density(table: dict[str, np.ndarray], smiles: list[str]) -> None:
    found = _measures(smiles)
    assert found.shape == (len(set(smiles) and {"CCO"}), N_MEASURES)
    assert kl_score(table["baseline"], found) is None


def test_leaving_out_is_near_scoring_the_rest(table: dict[str, np.ndarray]) -> None:
    """Apart from the bandwidth, which stays that of the whole."""
    parts = np.arange(len(table["third"])) % 5
    without = kl_scores_without(table["baseline"], table["third"], parts)
    anew = [kl_score(table["baseline"], table["third"][parts != part]) for part in range(5)]
    assert without == pytest.approx(anew, abs=0.01)
    assert np.ptp(without) > 0


@pytest.mark.parametrize(("distance", "expected"), [(0.0, 1.0), (5.0, np.exp(-1.0))])
def test_fcd_score(distance: float, expected: float) -> None:
    assert fcd_score(distance) == pytest.approx(expected)
