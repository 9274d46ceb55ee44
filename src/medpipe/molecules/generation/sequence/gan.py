"""The sequence GAN as a Lightning module: a warm start by likelihood, then generator against discriminator."""

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.networks import Discriminator, Generator
from medpipe.molecules.generation.sequence.policy import (
    discriminator_loss,
    leave_one_out_advantages,
    policy_loss,
    returns,
    token_rewards,
    verdicts,
)
from medpipe.molecules.generation.sequence.rollout import draw

_ADAM_BETAS = (0.9, 0.98)
_LOWEST_LEARNING_RATE = 0.01
"""Of the highest; where the cosine ends."""
_ACCURACY_MEMORY = 0.9
"""Of the running accuracy of the discriminator, a batch."""

DrawReal = Callable[[int], Tensor]
Measure = Callable[[Generator], dict[str, float]]


class SequenceGan(pl.LightningModule):
    """Trains a generator of token sequences and its discriminator.

    Each batch (B, T) of real molecules is one step of the generator: on its likelihood, and in the adversarial stage on
    the policy gradient too. In that stage the discriminator takes a step a batch as well, unless it is too good;
    one left free soon tells everything apart and then teaches nothing.

    Args:
        params: Everything that can be chosen.
        vocabulary: The tokens.
        longest: Tokens of the longest real molecule; generated ones are cut at twice that.
        draw_real: Real molecules (B, T) for the discriminator, of all lengths mixed, for a batch number.
        measure: What is measured now and then on the generator; name to value.
    """

    batches_seen: Tensor
    discriminator_steps: Tensor
    discriminator_started: Tensor
    measured_at: Tensor
    accuracy: Tensor

    def __init__(
        self, params: GanParams, vocabulary: Vocabulary, longest: int, draw_real: DrawReal, measure: Measure
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.hyper = params
        self.generator = Generator(params.sequence.generator, vocabulary)
        self.discriminator = Discriminator(params.sequence.discriminator, params.sequence.generator, vocabulary)
        self._max_tokens = 2 * longest + 1
        self._draw_real, self._measure = draw_real, measure
        self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("discriminator_steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("discriminator_started", torch.zeros((), dtype=torch.bool))
        self.register_buffer("measured_at", torch.zeros((), dtype=torch.long))
        self.register_buffer("accuracy", torch.tensor(0.5))

    @property
    def n_batches_seen(self) -> int:
        """Batches used so far, those before an interruption too."""
        return int(self.batches_seen)

    @property
    def warm_start_steps(self) -> int:
        """Optimizer steps before the adversarial stage."""
        return round(self.hyper.trainer.max_steps * (1 - self.hyper.sequence.adversarial.share))

    def configure_optimizers(self) -> Any:
        """One AdamW for each of the two."""
        rates = (self.hyper.learning_rate, self.hyper.sequence.adversarial.learning_rate)
        networks = (self.generator, self.discriminator)
        return [
            torch.optim.AdamW(network.parameters(), lr=rate, betas=_ADAM_BETAS, weight_decay=self.hyper.weight_decay)
            for network, rate in zip(networks, rates, strict=True)
        ]

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        """One batch; see the class."""
        # Dropout draws from torch's own state, which no checkpoint brings back.
        torch.manual_seed(self._batch_seed())
        values = {}
        generator_optimizer, discriminator_optimizer = self.optimizers()
        random = torch.Generator(self.device).manual_seed(self._batch_seed())
        nll = self.negative_log_likelihood(real, self._noise(len(real), random))
        values["train_nll"] = nll.detach()
        loss = nll
        if self.global_step >= self.warm_start_steps:
            if not self.discriminator_started:
                self.discriminator.start_from(self.generator)
                self.discriminator_started.fill_(True)
            fake, noise = self._draw_fake(len(real), random)
            values |= self._train_discriminator(fake, discriminator_optimizer)
            adversarial, found = self._adversarial_loss(fake, noise)
            values |= found
            loss = self.hyper.sequence.adversarial.likelihood_weight * nll + adversarial
        self._set_learning_rate(generator_optimizer)
        self._step(generator_optimizer, loss, self.generator)
        self.batches_seen += 1
        self._note(values)

    def negative_log_likelihood(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Mean over molecules of -log G, in nats, of ``tokens`` (B, T)."""
        return -self._log_probabilities(tokens, noise).sum() / len(tokens)

    def _log_probabilities(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Log G (B, T - 1) of each token after the start; 0 at padding."""
        logits, said = self.generator(tokens[:, :-1], noise), tokens[:, 1:]
        costs = F.cross_entropy(logits.flatten(0, 1).float(), said.flatten(), ignore_index=PAD, reduction="none")
        return -costs.view(said.shape)

    def _draw_fake(self, n: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = self._noise(n, random)
        return draw(self.generator, noise, max_tokens=self._max_tokens, random=random), noise

    def _train_discriminator(self, fake: Tensor, optimizer: Any) -> dict[str, Tensor]:
        real = self._draw_real(self.n_batches_seen).to(self.device)
        real_said, fake_said = real[:, 1:] != PAD, fake[:, 1:] != PAD
        real_logits, fake_logits = self.discriminator(real)[:, 1:], self.discriminator(fake)[:, 1:]
        right = torch.cat([verdicts(real_logits, real_said) > 0, verdicts(fake_logits, fake_said) < 0])
        self.accuracy.lerp_(right.float().mean(), 1 - _ACCURACY_MEMORY)
        loss = discriminator_loss(real_logits, real_said, fake_logits, fake_said)
        if self.accuracy <= self.hyper.accuracy_band.high:
            self._step(optimizer, loss, self.discriminator)
            self.discriminator_steps += 1
        return {"discriminator_accuracy": self.accuracy, "discriminator_loss": loss.detach()}

    def _adversarial_loss(self, fake: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        params = self.hyper.sequence.adversarial
        ready = self.discriminator_steps >= params.head_start_steps and self.accuracy >= self.hyper.accuracy_band.low
        said = fake[:, 1:] != PAD
        rewards = token_rewards(self._judge(fake), said)
        found = {"reward": rewards.sum(1).mean(), "generator_listens": ready.float()}
        if not ready:
            return torch.zeros((), device=self.device), found
        advantages = leave_one_out_advantages(returns(rewards, params.trace_decay), said)
        return params.weight * policy_loss(self._log_probabilities(fake, noise), advantages), found

    @torch.no_grad()
    def _judge(self, tokens: Tensor) -> Tensor:
        """Verdicts (B, T - 1) without dropout."""
        self.discriminator.eval()
        logits: Tensor = self.discriminator(tokens)[:, 1:]
        self.discriminator.train()
        return logits.float()

    def _noise(self, n: int, random: torch.Generator) -> Tensor:
        return torch.randn((n, self.generator.noise_size), generator=random, device=self.device)

    def _batch_seed(self) -> int:
        """Chance follows from the seed and the batch, so that a resumed run draws what it would have drawn."""
        return (self.hyper.trainer.seed << 32) + self.n_batches_seen

    def _step(self, optimizer: Any, loss: Tensor, network: torch.nn.Module) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.hyper.trainer.gradient_clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.hyper.trainer.gradient_clip_norm)
        optimizer.step()

    def _set_learning_rate(self, optimizer: Any) -> None:
        done = self.global_step / self.hyper.trainer.max_steps
        cosine = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        rise = min(1.0, (self.global_step + 1) / (self.hyper.warm_up_steps + 1))
        share = rise * (_LOWEST_LEARNING_RATE + (1 - _LOWEST_LEARNING_RATE) * cosine)
        for group in optimizer.param_groups:
            group["lr"] = self.hyper.learning_rate * share

    def _note(self, values: dict[str, Tensor]) -> None:
        """Into the history, with optimizer steps as its unit; Lightning's own log would count batches."""
        self.log_dict(values, prog_bar=True, logger=False)
        if self.n_batches_seen % self.hyper.trainer.log_every_n_steps == 0:
            self._write({name: float(value) for name, value in values.items()})
        every = self.hyper.validate_every_n_steps
        before, now = int(self.measured_at), self.global_step
        at_border = before < self.warm_start_steps <= now or now >= self.hyper.trainer.max_steps
        if at_border or (every and now - before >= every):
            self.measured_at.fill_(now)
            self.generator.eval()
            self._write(self._measure(self.generator))
            self.generator.train()

    def _write(self, values: dict[str, float]) -> None:
        if self.logger is not None:
            self.logger.log_metrics(values, self.global_step)
