"""Generator against discriminator where the generated can be differentiated through: latents, soft graphs."""

from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from medpipe.molecules.generation.direct.module import Measure, StepModule
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.losses import (
    AccuracyBand,
    clip_weights,
    discriminator_loss,
    generator_loss,
    gradient_norms,
    penalty,
)
from medpipe.molecules.generation.params import BandParams, LossParams
from medpipe.training.params import TrainerParams

_ADAM_BETAS = (0.0, 0.9)
"""Of both (Gulrajani et al., 2017, algorithm 1; Huang et al., 2024): momentum makes the two circle each other."""


class DirectGenerator(nn.Module):
    """G(z): noise (B, L) to inputs of the discriminator (B, F).

    Attributes:
        noise_size: L.
    """

    noise_size: int


G = TypeVar("G", bound=DirectGenerator)


class DirectGan(StepModule, Generic[G]):
    """Trains G(z) against D(x); each batch (B, F) of real inputs is a step of one of them or of both.

    The accuracy band says which. What is kept is the moving average of the generator, whose last weights circle.

    Args:
        generator: G.
        discriminator: D, inputs (B, F) to logits (B,), each row by itself.
        anchor: Gives of G and real inputs (B, F) what is added to the loss of G, so that it does not forget what it
            knew; None adds nothing.
        loss: What they play for.
        band: Where the accuracy of the discriminator is kept.
        params: Steps and learning rates.
        trainer: Seed, clipping, and ``params.steps`` as its ``max_steps``.
        measure: What is measured now and then; name to value.
        every_n_steps: Steps between measurements.
    """

    discriminator_steps: Tensor

    def __init__(
        self,
        generator: G,
        discriminator: nn.Module,
        *,
        anchor: nn.Module | None = None,
        loss: LossParams,
        band: BandParams,
        params: DirectParams,
        trainer: TrainerParams,
        measure: Measure,
        every_n_steps: int,
    ) -> None:
        super().__init__(trainer, measure, every_n_steps)
        self._params, self._loss = params, loss
        self.generator, self.discriminator, self.anchor = generator, discriminator, anchor
        self.average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(params.average_decay))
        self.average.requires_grad_(False)
        self.band = AccuracyBand(loss, band)
        self.register_buffer("discriminator_steps", torch.zeros((), dtype=torch.long))

    @property
    def kept_generator(self) -> G:
        """The moving average."""
        return cast(G, self.average.module)

    def configure_optimizers(self) -> Any:
        """One Adam for each of the two."""
        rates = (self._params.learning_rate, self._params.discriminator_learning_rate)
        networks: tuple[nn.Module, ...] = (self.generator, self.discriminator)
        return [
            torch.optim.Adam(network.parameters(), lr=rate, betas=_ADAM_BETAS)
            for network, rate in zip(networks, rates, strict=True)
        ]

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        """One batch; see the class."""
        torch.manual_seed(self.batch_seed)
        random = torch.Generator(self.device).manual_seed(self.batch_seed)
        generator_optimizer, discriminator_optimizer = self.optimizers()
        noise = torch.randn((len(real), self.generator.noise_size), generator=random, device=self.device)
        fake = self.generator(noise)
        values = self._train_discriminator(real, fake.detach(), random, discriminator_optimizer)
        if self.band.generator_listens:
            values |= self._train_generator(real, fake, generator_optimizer)
        self.end_batch(values)

    def _train_discriminator(
        self, real: Tensor, fake: Tensor, random: torch.Generator, optimizer: Any
    ) -> dict[str, Tensor]:
        on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        self.band.update(on_real, on_fake)
        loss = discriminator_loss(self._loss, on_real, on_fake)
        if self.band.discriminator_learns:
            smooth = penalty(self._loss, self.discriminator, real, fake, random)
            self.make_step(optimizer, loss + smooth, self.discriminator)
            clip_weights(self._loss, self.discriminator)
            self.discriminator_steps += 1
        values = {"discriminator_accuracy": self.band.accuracy, "discriminator_loss": loss.detach()}
        if (self.n_batches_seen + 1) % self.budget.log_every_n_steps == 0:
            between = torch.lerp(fake, real, torch.rand_like(fake[:, :1]))
            values["gradient_norm"] = gradient_norms(self.discriminator, between).mean().detach()
        return values

    def _train_generator(self, real: Tensor, fake: Tensor, optimizer: Any) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        loss = generator_loss(self._loss, self.discriminator(real), self.discriminator(fake))
        values = {"generator_loss": loss.detach()}
        if self.anchor is not None:
            held = self.anchor(self.generator, real)
            loss, values["anchor_loss"] = loss + held, held.detach()
        self.make_step(optimizer, loss, self.generator)
        self.discriminator.requires_grad_(True)
        self.average.update_parameters(self.generator)
        return values
