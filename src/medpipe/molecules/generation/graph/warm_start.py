"""The generator of graphs by likelihood: its warm start, and its control."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from medpipe.molecules.generation.direct.module import Measure, StepModule
from medpipe.molecules.generation.graph.networks import GraphEncoder, GraphGenerator
from medpipe.molecules.generation.params import GanParams

_ADAM_BETAS = (0.9, 0.98)
_KL_RISE = 0.5
"""Share of the steps in which the divergence gets its full weight (Bowman et al., CoNLL 2016)."""


class GraphWarmStart(StepModule):
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
        super().__init__(params.trainer, measure, params.validate_every_n_steps)
        self._params = params
        self.generator = generator
        self.encoder = GraphEncoder(params.graph.generator, generator.layout)
        self.branch = copy.deepcopy(generator).requires_grad_(False)
        self._branch_step = round(params.trainer.max_steps * params.graph.warm_start_share)

    def configure_optimizers(self) -> Any:
        """AdamW."""
        weights = [*self.generator.parameters(), *self.encoder.parameters()]
        params = self._params
        return torch.optim.AdamW(weights, params.learning_rate, _ADAM_BETAS, weight_decay=params.weight_decay)

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        """One step on one batch."""
        torch.manual_seed(self.batch_seed)
        optimizer: Any = self.optimizers()
        if self.global_step == self._branch_step:
            self.branch.load_state_dict(self.generator.state_dict())
        nll, divergence = self.costs(real)
        for group in optimizer.param_groups:
            group["lr"] = self._params.learning_rate * self._learning_rate_share()
        self.make_step(optimizer, nll + self._params.graph.kl_weight * self.kl_share * divergence, self)
        self.end_batch({"train_nll": nll.detach(), "divergence": divergence.detach()})

    def costs(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Nats a molecule of graphs (B, F): -log p(graph | noise), and the divergence of the noise from the normal."""
        mean, log_std = self.encoder(vectors)
        noise = mean + log_std.exp() * torch.randn_like(mean)
        divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum()
        return self.generator.negative_log_likelihood(vectors, noise), divergence / len(vectors)

    @property
    def kl_share(self) -> float:
        """Rises to 1 in the first part of the training, so that the decoder first learns to listen."""
        return min(1.0, self.global_step / (_KL_RISE * self.budget.max_steps))

    def _learning_rate_share(self) -> float:
        rise = min(1.0, (self.global_step + 1) / (self._params.warm_up_steps + 1))
        return rise * 0.5 * (1 + math.cos(math.pi * self.global_step / self.budget.max_steps))
