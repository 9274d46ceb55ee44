"""The generator of graphs by likelihood: its warm start, and its control."""

import copy

import torch
from torch import Tensor

from medpipe.molecules.generation.direct.likelihood import LikelihoodTraining
from medpipe.molecules.generation.direct.module import Measure
from medpipe.molecules.generation.graph.networks import GraphEncoder, GraphGenerator
from medpipe.molecules.generation.params import GanParams


class GraphWarmStart(LikelihoodTraining):
    """Trains the generator as the decoder of a variational autoencoder, on graphs (B, F) in the order of their SMILES.

    That order is the same for all, so no graph needs to be matched to another (as in GraphVAE: Simonovsky and
    Komodakis, ICANN 2018). The generator goes on to the end, as the control; ``branch`` is how it was when the
    adversarial stage takes over.

    Args:
        generator: What is trained.
        params: Everything that can be chosen.
        measure: What is measured now and then; name to value.
    """

    def __init__(self, generator: GraphGenerator, params: GanParams, measure: Measure) -> None:
        super().__init__(params, params.graph.kl_weight, measure)
        self.generator = generator
        self.encoder = GraphEncoder(params.graph.generator, generator.layout)
        self.branch = copy.deepcopy(generator).requires_grad_(False)
        self._branch_step = round(params.trainer.max_steps * params.graph.warm_start_share)

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        """One step on one batch."""
        if self.global_step == self._branch_step:
            self.branch.load_state_dict(self.generator.state_dict())
        super().training_step(batch, batch_idx)

    def costs(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Nats a molecule of graphs (B, F): -log p(graph | noise), and the divergence of the noise from the normal."""
        mean, log_std = self.encoder(vectors)
        noise = mean + log_std.exp() * torch.randn_like(mean)
        divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum()
        return self.generator.negative_log_likelihood(vectors, noise), divergence / len(vectors)
