"""A trained generator of graphs, ready to draw."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.graphs import GraphAlphabet, decode_graph
from medpipe.molecules.generation.graph.layout import Layout
from medpipe.molecules.generation.graph.networks import GraphGenerator
from medpipe.molecules.generation.graph.params import GraphParams
from medpipe.molecules.generation.sampler import KIND
from medpipe.training.checkpoint import Checkpoint


class GraphSampler:
    """See `medpipe.molecules.generation.sampler.MoleculeSampler`; ``max_tokens`` counts atoms.

    Args:
        generator: The network.
        alphabet: What its types of atoms mean.
    """

    def __init__(self, generator: GraphGenerator, alphabet: GraphAlphabet) -> None:
        self.generator, self.alphabet = generator, alphabet
        self.max_tokens = generator.layout.max_atoms
        self._device = torch.device("cpu")

    def to(self, device: torch.device) -> "GraphSampler":
        """Moves the network."""
        self.generator.to(device)
        self._device = device
        return self

    def draw(self, n: int, random: torch.Generator, *, temperature: float, top_p: float, max_tokens: int) -> list[str]:
        """See the protocol; a graph that is no molecule, of several pieces for one, comes out empty.

        Raises:
            InputError: ``top_p`` or ``max_tokens`` is one that means nothing to a graph.
        """
        if top_p < 1 or max_tokens < self.max_tokens:
            raise InputError(
                f"top_p is {top_p:g} and max_tokens {max_tokens}: the graph family chooses all atoms and bonds at "
                f"once, expected 1 and at least {self.max_tokens}; leave both out, or lower the temperature."
            )
        noise = torch.randn((n, self.generator.noise_size), generator=random, device=self._device)
        return self.decode(*self.generator.draw(noise, random, temperature))

    def decode(self, atoms: Tensor, pairs: Tensor) -> list[str]:
        """SMILES of types (n, A) and orders (n, P); empty where there is no molecule."""
        types = atoms.cpu().numpy().astype(np.uint8)
        bonds = self.generator.layout.bonds(pairs.cpu().numpy().astype(np.uint8))
        return [decode_graph(*graph, self.alphabet) for graph in zip(types, bonds, strict=True)]


def graph_checkpoint(
    generator: GraphGenerator, alphabet: GraphAlphabet, params: GraphParams, provenance: dict[str, Any]
) -> Checkpoint:
    """A generator with all that rebuilds it."""
    content = {"family": "graph", "graph": params.model_dump(mode="json"), "atoms": [list(a) for a in alphabet.atoms]}
    return Checkpoint(KIND, dict(generator.state_dict()), content, provenance)


def load_graph_sampler(checkpoint: Checkpoint) -> GraphSampler:
    """The sampler of a checkpoint of the graph family, on the CPU."""
    params = GraphParams(**checkpoint.params["graph"])
    alphabet = GraphAlphabet(tuple((str(symbol), int(charge)) for symbol, charge in checkpoint.params["atoms"]))
    generator = GraphGenerator(params.generator, Layout(params.max_atoms, len(alphabet)))
    generator.load_state_dict(checkpoint.weights)
    return GraphSampler(generator.eval(), alphabet)
