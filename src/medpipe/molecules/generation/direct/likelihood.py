"""Training by likelihood of what the discriminator's gradient will reach: a beta-VAE's decoder."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from medpipe.molecules.generation.direct.module import Measure, StepModule
from medpipe.molecules.generation.params import GanParams

_ADAM_BETAS = (0.9, 0.98)
_KL_RISE = 0.5
"""Share of the steps in which the divergence gets its full weight (Bowman et al., CoNLL 2016)."""


class LikelihoodTraining(StepModule):
    """Trains a variational autoencoder: AdamW, linear warm-up, cosine to zero.

    Args:
        autoencoder: Gives for a batch of molecules, in nats a molecule, -log p(molecule | noise) and the divergence of
            the noise from the normal distribution.
        params: Everything that can be chosen.
        kl_weight: Weight of the divergence.
        measure: What is measured now and then; name to value.
    """

    def __init__(self, autoencoder: nn.Module, params: GanParams, kl_weight: float, measure: Measure) -> None:
        super().__init__(params.trainer, measure, params.validate_every_n_steps)
        self.autoencoder = autoencoder
        self._params, self._kl_weight = params, kl_weight

    def configure_optimizers(self) -> Any:
        """AdamW."""
        params = self._params
        return torch.optim.AdamW(
            self.autoencoder.parameters(), params.learning_rate, _ADAM_BETAS, weight_decay=params.weight_decay
        )

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        """One step on one batch."""
        torch.manual_seed(self.batch_seed)
        optimizer: Any = self.optimizers()
        nll, divergence = self.autoencoder(batch)
        for group in optimizer.param_groups:
            group["lr"] = self._params.learning_rate * self._learning_rate_share()
        self.make_step(optimizer, nll + self._kl_weight * self._kl_share() * divergence, self.autoencoder)
        self.end_batch({"train_nll": nll.detach(), "divergence": divergence.detach()})

    def _kl_share(self) -> float:
        """Rises to 1 in the first part of the training, so that the decoder first learns to listen."""
        return min(1.0, self.global_step / (_KL_RISE * self.budget.max_steps))

    def _learning_rate_share(self) -> float:
        rise = min(1.0, (self.global_step + 1) / (self._params.warm_up_steps + 1))
        return rise * 0.5 * (1 + math.cos(math.pi * self.global_step / self.budget.max_steps))
