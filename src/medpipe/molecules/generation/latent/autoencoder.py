"""Training of the autoencoder."""

import math
from typing import Any

import torch
from torch import Tensor

from medpipe.molecules.generation.direct.module import Measure, StepModule
from medpipe.molecules.generation.latent.networks import Autoencoder
from medpipe.molecules.generation.params import GanParams

_ADAM_BETAS = (0.9, 0.98)
_KL_RISE = 0.5
"""Share of the steps in which the divergence gets its full weight (Bowman et al., CoNLL 2016)."""


class AutoencoderTraining(StepModule):
    """Trains a beta-VAE on batches (B, T) of molecules.

    Args:
        autoencoder: What is trained.
        params: Everything that can be chosen.
        measure: What is measured now and then; name to value.
    """

    def __init__(self, autoencoder: Autoencoder, params: GanParams, measure: Measure) -> None:
        super().__init__(params.trainer, measure, params.validate_every_n_steps)
        self._params = params
        self.autoencoder = autoencoder

    def configure_optimizers(self) -> Any:
        """AdamW, linear warm-up, cosine to zero."""
        params = self._params
        return torch.optim.AdamW(
            self.autoencoder.parameters(), params.learning_rate, _ADAM_BETAS, weight_decay=params.weight_decay
        )

    def training_step(self, tokens: Tensor, batch_idx: int) -> None:
        """One step on one batch."""
        torch.manual_seed(self.batch_seed)
        optimizer: Any = self.optimizers()
        nll, divergence = self.autoencoder(tokens)
        for group in optimizer.param_groups:
            group["lr"] = self._params.learning_rate * self._learning_rate_share()
        self.make_step(optimizer, nll + self._params.latent.kl_weight * self.kl_share * divergence, self.autoencoder)
        self.end_batch({"train_nll": nll.detach(), "divergence": divergence.detach()})

    @property
    def kl_share(self) -> float:
        """Rises to 1 in the first part of the training, so that the decoder first learns to listen."""
        return min(1.0, self.global_step / (_KL_RISE * self.budget.max_steps))

    def _learning_rate_share(self) -> float:
        rise = min(1.0, (self.global_step + 1) / (self._params.warm_up_steps + 1))
        return rise * 0.5 * (1 + math.cos(math.pi * self.global_step / self.budget.max_steps))
