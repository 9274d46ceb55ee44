"""Generator and discriminator of graphs, and the encoder of their warm start.

Shapes as in `layout`; H hidden units, L = length of the noise.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.encoding.graphs import N_BOND_TYPES, NO_BOND
from medpipe.molecules.generation.direct.gan import DirectGenerator
from medpipe.molecules.generation.graph.layout import Layout
from medpipe.molecules.generation.graph.params import GraphDiscriminatorParams, GraphGeneratorParams

_FIRST_LOG_STD = -2.0
"""The noise of a molecule starts narrow, so that the generator learns to listen to it."""


class GraphGenerator(DirectGenerator):
    """G(z): atoms and bonds all at once (MolGAN: De Cao and Kipf, 2018, arXiv:1805.11973).

    A pair with padding at one end has no bond, whatever the network says of it.

    Args:
        params: Its shape.
        layout: That of the graphs.
    """

    def __init__(self, params: GraphGeneratorParams, layout: Layout) -> None:
        super().__init__()
        self.noise_size, self.layout = params.noise_size, layout
        self.network = _perceptron(params.noise_size, params.hidden_size, params.n_layers, layout.n_features)

    def logits(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Of the types of atoms (B, A, K) and the kinds of bond of pairs (B, P, R), of ``noise`` (B, L)."""
        atoms, pairs = self.layout.split(self.network(noise))
        return atoms.float(), pairs.float()

    def forward(self, noise: Tensor) -> Tensor:
        """Graphs (B, F) drawn from the logits: ones and zeros, with the gradient of the soft choice behind them.

        Straight-through Gumbel-softmax (Jang et al., ICLR 2017): the discriminator never sees a soft graph, by which
        it could tell generated ones at a glance. Chance is torch's own.
        """
        atoms, pairs = (F.gumbel_softmax(logits, hard=True) for logits in self.logits(noise))
        possible = self.layout.between_atoms(atoms)[..., None]
        none = F.one_hot(torch.tensor(NO_BOND, device=noise.device), N_BOND_TYPES)
        return self.layout.join(atoms, pairs * possible + none * (1 - possible))

    @torch.no_grad()
    def draw(self, noise: Tensor, random: torch.Generator, temperature: float) -> tuple[Tensor, Tensor]:
        """Types (B, A) and orders (B, P) drawn at a temperature that divides the logits."""
        atoms, pairs = (_draw(logits / temperature, random) for logits in self.logits(noise))
        possible = self.layout.between_atoms(F.one_hot(atoms, self.layout.n_atom_types)).bool()
        return atoms, pairs.masked_fill(~possible, NO_BOND)

    def negative_log_likelihood(self, vectors: Tensor, noise: Tensor) -> Tensor:
        """Nats a molecule, mean over graphs (B, F); pairs with padding say nothing."""
        (atoms, pairs), (atom_logits, pair_logits) = self.layout.split(vectors), self.logits(noise)
        of_atoms = -(atoms * atom_logits.log_softmax(-1)).sum()
        of_pairs = -(pairs * pair_logits.log_softmax(-1)).sum(-1) * self.layout.between_atoms(atoms)
        return (of_atoms + of_pairs.sum()) / len(vectors)


class GraphEncoder(nn.Module):
    """Graphs (B, F) to the normal distribution of their noise; only training needs it.

    Args:
        params: Shape of the generator, which it mirrors.
        layout: That of the graphs.
    """

    def __init__(self, params: GraphGeneratorParams, layout: Layout) -> None:
        super().__init__()
        self.network = _perceptron(layout.n_features, params.hidden_size, params.n_layers, 2 * params.noise_size)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation, (B, L) each."""
        mean, log_std = self.network(vectors).float().chunk(2, -1)
        return mean, log_std + _FIRST_LOG_STD


class GraphAutoencoder(nn.Module):
    """The generator as the decoder of a variational autoencoder.

    Args:
        params: Shape of the generator.
        layout: That of the graphs.
    """

    def __init__(self, params: GraphGeneratorParams, layout: Layout) -> None:
        super().__init__()
        self.generator, self.encoder = GraphGenerator(params, layout), GraphEncoder(params, layout)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Nats a molecule of graphs (B, F): -log p(graph | noise), and the divergence of the noise from the normal."""
        mean, log_std = self.encoder(vectors)
        divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum()
        nll = self.generator.negative_log_likelihood(vectors, _near(mean, log_std))
        return nll, divergence / len(vectors)


class GraphAnchor(nn.Module):
    """What holds the generator to the molecules while it plays: their likelihood from where an encoder puts them.

    Args:
        encoder: That of the warm start, at the branch; it learns no more.
        weight: Of the likelihood, beside what the discriminator says.
    """

    def __init__(self, encoder: GraphEncoder, weight: float) -> None:
        super().__init__()
        self.encoder, self._weight = encoder.requires_grad_(False), weight

    def forward(self, generator: GraphGenerator, vectors: Tensor) -> Tensor:
        """Weighted nats a molecule of graphs (B, F)."""
        return self._weight * generator.negative_log_likelihood(vectors, _near(*self.encoder(vectors)))


class GraphDiscriminator(nn.Module):
    """D(x): the logit (B,) that graphs (B, F) are molecules, whatever the order of their atoms.

    Relational graph convolutions (Schlichtkrull et al., ESWC 2018) and a gated sum over atoms (Li et al., ICLR 2016),
    as in MolGAN.

    Args:
        params: Its shape.
        layout: That of the graphs.
    """

    def __init__(self, params: GraphDiscriminatorParams, layout: Layout) -> None:
        super().__init__()
        self.layout, size = layout, params.hidden_size
        self.embed = nn.Linear(layout.n_atom_types, size)
        self.layers = nn.ModuleList(_Convolution(size) for _ in range(params.n_layers))
        self.gate, self.value = nn.Linear(2 * size, size), nn.Linear(2 * size, size)
        self.verdict = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits."""
        atoms, pairs = self.layout.split(vectors)
        adjacency = self.layout.matrices(pairs)
        first = hidden = self.embed(atoms)
        for layer in self.layers:
            hidden = layer(hidden, adjacency)
        both = torch.cat([first, hidden], -1)
        there = 1 - atoms[..., :1]
        summary = (torch.sigmoid(self.gate(both)) * torch.tanh(self.value(both)) * there).sum(1)
        return self.verdict(summary).squeeze(-1)


class _Convolution(nn.Module):
    """One layer: each atom hears of itself and of its neighbours, by the kind of bond."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.itself = nn.Linear(size, size)
        self.neighbours = nn.Linear(size, size * (N_BOND_TYPES - 1), bias=False)

    def forward(self, hidden: Tensor, adjacency: Tensor) -> Tensor:
        said = self.neighbours(hidden).unflatten(-1, (N_BOND_TYPES - 1, -1))
        heard = torch.einsum("bijr,bjrh->bih", adjacency, said)
        return hidden + F.silu(self.itself(hidden) + heard)


def _near(mean: Tensor, log_std: Tensor) -> Tensor:
    """Noise (B, L) drawn around a molecule's place; chance is torch's own."""
    return mean + log_std.exp() * torch.randn_like(mean)


def _perceptron(size: int, hidden_size: int, n_layers: int, out_size: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(n_layers):
        layers += [nn.Linear(size, hidden_size), nn.SiLU()]
        size = hidden_size
    return nn.Sequential(*layers, nn.Linear(size, out_size))


def _draw(logits: Tensor, random: torch.Generator) -> Tensor:
    """One choice of the last axis each, by the Gumbel-max trick."""
    uniform = torch.rand(logits.shape, generator=random, device=logits.device)
    return (logits - uniform.clamp_min(torch.finfo(uniform.dtype).tiny).log().neg().log()).argmax(-1)
