"""ChemNet against the network of fcd-torch, the distance against cases with a known answer."""

import numpy as np
import pytest

from medpipe.molecules.metrics.chemnet import N_FEATURES, activations, encode, n_filled_steps
from medpipe.molecules.metrics.fcd import Moments, frechet_distance, frechet_distances, moments, moments_without


@pytest.mark.parametrize(
    ("smiles", "n"), [("C", 2), ("CCl", 3), ("C[Si](Br)Cl", 9), ("CCO.Cl", 4), ("C" * 400, 350), ("C[Zn]", 6)]
)
def test_number_of_symbols(smiles: str, n: int) -> None:
    assert len(encode(smiles)) == n


def test_unknown_symbols_share_a_number() -> None:
    assert encode("%")[0] == encode("/")[0] != encode("C")[0]


@pytest.mark.parametrize(("length", "steps"), [(1, 1), (2, 2), (37, 10), (38, 11), (349, 88), (350, 88)])
def test_filled_steps(length: int, steps: int) -> None:
    assert n_filled_steps(length) == steps


def test_activations_equal_those_of_the_network_read_whole() -> None:
    fcd_torch = pytest.importorskip("fcd_torch.utils")
    torch = pytest.importorskip("torch")
    from medpipe.molecules.metrics.chemnet import weights_path

    smiles = ["C", "CCO", "CC(=O)Oc1ccccc1C(=O)O", "FC(F)(F)c1cc(Cl)ccc1Br", "CCN.Cl", "C" * 347, "C" * 380]
    network = fcd_torch.load_imported_model(torch.load(weights_path(), weights_only=True)).eval()
    one_hot = np.stack([fcd_torch.get_one_hot(text, 350) / 35 for text in smiles])
    with torch.no_grad():
        expected = network(torch.tensor(one_hot).transpose(1, 2).float()).numpy()
    assert np.abs(activations(smiles, batch=3) - expected).max() < 1e-5


def test_moments_count_repeated_molecules() -> None:
    values = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    counts = np.array([1, 2, 3, 1, 1, 4, 1])
    repeated = np.repeat(values, counts, axis=0).astype(np.float64)
    mean, covariance = moments(values, counts)
    assert np.allclose(mean, repeated.mean(axis=0))
    assert np.allclose(covariance, np.cov(repeated.T))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (([0.0, 0.0], np.eye(2)), ([0.0, 0.0], np.eye(2)), 0.0),
        (([3.0, 4.0], np.eye(2)), ([0.0, 0.0], np.eye(2)), 25.0),
        (([0.0, 0.0], np.diag([4.0, 9.0])), ([0.0, 0.0], np.eye(2)), 1.0 + 4.0),
        (([0.0, 0.0], np.diag([4.0, 0.0])), ([0.0, 0.0], np.diag([0.0, 9.0])), 13.0),  # singular, nothing shared
        (([0.0, 0.0], np.zeros((2, 2))), ([1.0, 0.0], np.zeros((2, 2))), 1.0),
    ],
)
def test_distance_by_hand(
    first: tuple[list[float], np.ndarray], second: tuple[list[float], np.ndarray], expected: float
) -> None:
    distance = frechet_distance(*(Moments(np.array(mean), covariance) for mean, covariance in (first, second)))
    assert distance == pytest.approx(expected, abs=1e-9)


def test_distance_agrees_with_the_matrix_square_root() -> None:
    fcd_torch = pytest.importorskip("fcd_torch")
    rng = np.random.default_rng(1)
    sets = [rng.normal(size=(200, 20)) @ rng.normal(size=(20, 20)) for _ in range(2)]
    a, b = (Moments(values.mean(axis=0), np.cov(values.T)) for values in sets)
    assert frechet_distance(a, b) == pytest.approx(fcd_torch.calculate_frechet_distance(*a, *b), rel=1e-8)


def test_no_molecule_gives_no_activation() -> None:
    assert activations([]).shape == (0, N_FEATURES)


def test_moments_without_a_block_are_those_of_the_rest() -> None:
    rng = np.random.default_rng(2)
    values = (5 + rng.normal(size=(40, 4))).astype(np.float32)
    blocks = rng.integers(0, 3, size=(4, 40))
    for found, block in zip(moments_without(values, blocks), blocks, strict=True):
        expected = moments(values, blocks.sum(axis=0) - block)
        assert np.allclose(found.mean, expected.mean)
        assert np.allclose(found.covariance, expected.covariance)


def test_interval_of_the_distance_has_the_width_of_repeated_samples() -> None:
    """Samples of another distribution than the reference: where the distance is what a generator's is."""
    from medpipe.molecules.metrics.bootstrap import block_counts, jackknife_interval

    rng = np.random.default_rng(3)
    mix = rng.normal(size=(6, 6))
    reference = Moments(np.zeros(6), np.eye(6))
    distances, widths = [], []
    for _ in range(150):
        sample = (rng.normal(size=(500, 6)) @ mix / 2 + 0.3).astype(np.float32)
        ones = np.ones(500, dtype=np.int64)
        distance = frechet_distance(reference, moments(sample, ones))
        without = moments_without(sample, block_counts(np.arange(500), 500, rng))
        low, high = jackknife_interval(distance, np.array(list(frechet_distances(reference, without))))
        distances.append(distance)
        widths.append(high - low)
    expected = 2 * 2.09 * np.std(distances)
    assert np.mean(widths) == pytest.approx(expected, rel=0.15)
