import math

import pytest
import torch

from medpipe.molecules.encoding.graphs import MOSES_ATOMS, NO_BOND, PAD_ATOM, encode_graphs
from medpipe.molecules.generation.graph.layout import Layout
from medpipe.molecules.generation.graph.model import GraphSampler
from medpipe.molecules.generation.graph.networks import GraphDiscriminator, GraphGenerator
from medpipe.molecules.generation.graph.params import GraphDiscriminatorParams, GraphGeneratorParams

SMILES = ["CCO", "c1ccccc1", "CC(=O)N", "C#N"]
LAYOUT = Layout(6, len(MOSES_ATOMS))


@pytest.fixture(scope="module")
def generator() -> GraphGenerator:
    torch.manual_seed(0)
    return GraphGenerator(GraphGeneratorParams(noise_size=4, hidden_size=16, n_layers=1), LAYOUT)


def vectors(smiles: list[str]) -> torch.Tensor:
    return LAYOUT.one_hot(*LAYOUT.compact(encode_graphs(smiles, 6)))


def test_a_vector_holds_the_whole_graph(generator: GraphGenerator) -> None:
    atoms, pairs = LAYOUT.split(vectors(SMILES))
    assert GraphSampler(generator, MOSES_ATOMS).decode(atoms.argmax(-1), pairs.argmax(-1)) == [
        "CCO", "c1ccccc1", "CC(N)=O", "C#N",
    ]  # fmt: skip


def test_adjacency_is_that_of_the_molecule() -> None:
    """Ethanol: C-C and C-O, single; nothing else."""
    _, pairs = LAYOUT.split(vectors(["CCO"]))
    adjacency = LAYOUT.matrices(pairs)[0]
    assert adjacency.nonzero().tolist() == [[0, 1, 0], [1, 0, 0], [1, 2, 0], [2, 1, 0]]


def test_generated_graphs_are_ones_and_zeros_with_a_gradient(generator: GraphGenerator) -> None:
    noise = torch.randn(8, 4)
    graphs = generator(noise)
    assert set(graphs.detach().round(decimals=6).unique().tolist()) == {0.0, 1.0}
    atoms, pairs = LAYOUT.split(graphs)
    torch.testing.assert_close(atoms.sum(-1), torch.ones(8, 6))
    torch.testing.assert_close(pairs.sum(-1), torch.ones(8, 15))
    (graphs * torch.randn_like(graphs)).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in generator.parameters())


def test_padding_is_never_bound(generator: GraphGenerator) -> None:
    noise = torch.randn(200, 4)
    atoms, pairs = generator.draw(noise, torch.Generator().manual_seed(0), 5.0)
    bonds = torch.from_numpy(LAYOUT.bonds(pairs.numpy()))
    assert (atoms == PAD_ATOM).any()
    assert (bonds[atoms == PAD_ATOM] == NO_BOND).all()
    soft_atoms, soft_pairs = LAYOUT.split(generator(noise))
    assert (soft_pairs.argmax(-1)[LAYOUT.between_atoms(soft_atoms) < 0.5] == NO_BOND).all()


def test_cold_draws_take_the_likeliest(generator: GraphGenerator) -> None:
    noise = torch.randn(5, 4)
    atoms, _ = generator.draw(noise, torch.Generator().manual_seed(0), 1e-6)
    assert torch.equal(atoms, generator.logits(noise)[0].argmax(-1))


def test_draws_follow_the_logits(generator: GraphGenerator) -> None:
    noise = torch.zeros(20_000, 4)
    atoms, _ = generator.draw(noise, torch.Generator().manual_seed(0), 1.0)
    expected = generator.logits(noise[:1])[0][0, 0].softmax(-1)
    shares = torch.bincount(atoms[:, 0], minlength=len(expected)) / len(noise)
    torch.testing.assert_close(shares, expected.detach(), atol=0.015, rtol=0)


def test_likelihood_of_equal_logits_by_hand() -> None:
    """Ethanol has 3 pairs of atoms; every choice is among 8 types or 4 kinds of bond; 6 places for atoms."""
    equal = GraphGenerator(GraphGeneratorParams(noise_size=4, hidden_size=16, n_layers=1), LAYOUT)
    with torch.no_grad():
        for weight in equal.parameters():
            weight.zero_()
    nll = equal.negative_log_likelihood(vectors(["CCO"]), torch.zeros(1, 4))
    assert nll.item() == pytest.approx(6 * math.log(8) + 3 * math.log(4))


def test_the_order_of_atoms_does_not_matter_to_the_discriminator() -> None:
    torch.manual_seed(0)
    discriminator = GraphDiscriminator(GraphDiscriminatorParams(hidden_size=8, n_layers=2), LAYOUT)
    one, other = discriminator(vectors(["OC(C)=N", "N=C(O)C"]))
    different = discriminator(vectors(["NC(C)=O"]))
    torch.testing.assert_close(one, other)
    assert (one - different).abs() > 1e-4


def test_the_discriminator_hears_of_every_bond() -> None:
    torch.manual_seed(0)
    discriminator = GraphDiscriminator(GraphDiscriminatorParams(hidden_size=8, n_layers=2), LAYOUT)
    verdicts = discriminator(vectors(["CCCC", "CC=CC", "C=CCC", "CC#CC"]))
    assert len(set(verdicts.tolist())) == 4
