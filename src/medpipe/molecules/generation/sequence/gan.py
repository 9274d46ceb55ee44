"""The sequence GAN as a Lightning module: a warm start by likelihood, then generator against discriminator."""

import copy
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.losses import clip_weights
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.networks import Generator
from medpipe.molecules.generation.sequence.opponent import build_opponent
from medpipe.molecules.generation.sequence.policy import leave_one_out_advantages, policy_loss, returns
from medpipe.molecules.generation.sequence.rollout import draw

_ADAM_BETAS = (0.9, 0.98)

DrawReal = Callable[[int], Tensor]
Measure = Callable[[Generator], dict[str, float]]


class SequenceGan(pl.LightningModule):
    """Trains a generator of token sequences, its discriminator, and a control that has none.

    Each batch (B, T) of real molecules is one step of the generator: on its likelihood, and in the adversarial stage on
    the policy gradient too. In that stage the discriminator takes a step a batch as well, unless it is too good.

    The control is a copy of the generator, made with its optimizer where the adversarial stage begins, that goes on by
    likelihood alone: on the same batches, at the same learning rates, for as many steps. ``seconds`` says what each of
    the two has cost since then: the control is the cheaper one.

    Steps are those of the generator.

    Args:
        params: Everything that can be chosen.
        vocabulary: The tokens.
        longest: Tokens of the longest real molecule; generated ones are cut at twice that.
        draw_real: Real molecules (B, T) for the discriminator, of all lengths mixed, for a batch number.
        measure: What is measured now and then on a generator; name to value.
    """

    batches_seen: Tensor
    measured_at: Tensor
    seconds: Tensor

    def __init__(
        self, params: GanParams, vocabulary: Vocabulary, longest: int, draw_real: DrawReal, measure: Measure
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.hyper = params
        self.generator = Generator(params.sequence.generator, vocabulary)
        self.control = copy.deepcopy(self.generator)
        self.opponent = build_opponent(params, vocabulary)
        self._max_tokens = 2 * longest + 1
        self._draw_real, self._measure = draw_real, measure
        self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("measured_at", torch.zeros((), dtype=torch.long))
        self.register_buffer("seconds", torch.zeros(2, dtype=torch.float64))

    @property
    def n_batches_seen(self) -> int:
        """Batches used so far, those before an interruption too."""
        return int(self.batches_seen)

    @property
    def warm_start_steps(self) -> int:
        """Steps before the adversarial stage."""
        return round(self.hyper.trainer.max_steps * (1 - self.hyper.sequence.adversarial.share))

    def configure_optimizers(self) -> Any:
        """One AdamW for each of generator, control and discriminator."""
        rates = (self.hyper.learning_rate,) * 2 + (self.hyper.sequence.adversarial.learning_rate,)
        networks = (self.generator, self.control, self.opponent.discriminator)
        return [
            torch.optim.AdamW(network.parameters(), lr=rate, betas=_ADAM_BETAS, weight_decay=self.hyper.weight_decay)
            for network, rate in zip(networks, rates, strict=True)
        ]

    def training_step(self, real: Tensor, batch_idx: int) -> None:
        """One batch; see the class."""
        # Dropout draws from torch's own state, which no checkpoint brings back.
        torch.manual_seed(self._batch_seed())
        random = torch.Generator(self.device).manual_seed(self._batch_seed())
        noise = torch.randn((len(real), self.generator.noise_size), generator=random, device=self.device)
        step, share = self.global_step, self._learning_rate_share()
        counted = self.optimizers()[0]  # Lightning counts the steps of its own wrappers: the generator's alone
        optimizer, control_optimizer, discriminator_optimizer = (one.optimizer for one in self.optimizers())
        if step == self.warm_start_steps:
            self.control.load_state_dict(self.generator.state_dict())
            control_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for one in (optimizer, control_optimizer):
            one.param_groups[0]["lr"] = self.hyper.learning_rate * share
        started = time.perf_counter()
        nll = self.negative_log_likelihood(self.generator, real, noise)
        values, loss = {"train_nll": nll.detach()}, nll
        if step >= self.warm_start_steps:
            adversarial, found = self._play(len(real), random, discriminator_optimizer)
            values |= found
            loss = self.hyper.sequence.adversarial.likelihood_weight * nll + adversarial
        self._step(counted, loss, self.generator)
        if step >= self.warm_start_steps:
            started = self._count_seconds(0, started)
            loss = self.negative_log_likelihood(self.control, real, noise)
            self._step(control_optimizer, loss, self.control)
            self._count_seconds(1, started)
        self.batches_seen += 1
        self._note(values)

    @staticmethod
    def negative_log_likelihood(generator: Generator, tokens: Tensor, noise: Tensor) -> Tensor:
        """Mean over molecules of -log G, in nats, of ``tokens`` (B, T)."""
        return -log_probabilities(generator, tokens, noise).sum() / len(tokens)

    def _play(self, n: int, random: torch.Generator, discriminator_optimizer: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """A step of the discriminator, and the generator's policy loss by its verdicts."""
        opponent, params = self.opponent, self.hyper.sequence.adversarial
        opponent.start_from(self.generator)
        noise = torch.randn((n, self.generator.noise_size), generator=random, device=self.device)
        self.generator.eval()
        fake = draw(self.generator, noise, max_tokens=self._max_tokens, random=random)
        self.generator.train()
        said, seen = fake[:, 1:] != PAD, opponent.read(fake)
        loss = opponent.loss(opponent.read(self._draw_real(self.n_batches_seen).to(self.device)), seen, random)
        if opponent.band.discriminator_learns:
            self._step(discriminator_optimizer, loss, opponent.discriminator)
            clip_weights(self.hyper.loss, opponent.discriminator)
            opponent.steps += 1
        rewards = opponent.rewards(seen, said)
        listens = opponent.generator_listens
        found = {"discriminator_accuracy": opponent.band.accuracy, "discriminator_loss": loss.detach()}
        found |= {"reward": rewards.sum(1).mean(), "generator_listens": torch.tensor(float(listens))}
        if not listens:
            return torch.zeros((), device=self.device), found
        advantages = leave_one_out_advantages(returns(rewards, params.trace_decay), said)
        return params.weight * policy_loss(log_probabilities(self.generator, fake, noise), advantages), found

    def _batch_seed(self) -> int:
        """Chance follows from the seed and the batch, so that a resumed run draws what it would have drawn."""
        return (self.hyper.trainer.seed << 32) + self.n_batches_seen

    def _step(self, optimizer: Any, loss: Tensor, network: torch.nn.Module) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.hyper.trainer.gradient_clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.hyper.trainer.gradient_clip_norm)
        optimizer.step()

    def _learning_rate_share(self) -> float:
        """Of the highest: it rises, then falls in a straight line to 0 (Defazio et al., 2023)."""
        rise = (self.global_step + 1) / (self.hyper.warm_up_steps + 1)
        return min(1.0, rise) * (1 - self.global_step / self.hyper.trainer.max_steps)

    def _count_seconds(self, who: int, since: float) -> float:
        """Adds the seconds since a moment to one of the two; returns this moment."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[who] += now - since
        return now

    def _note(self, values: dict[str, Tensor]) -> None:
        """Into the history, with the generator's steps as its unit."""
        self.log_dict(values, prog_bar=True, logger=False)
        if self.n_batches_seen % self.hyper.trainer.log_every_n_steps == 0:
            self._write({name: float(value) for name, value in values.items()})
        every = self.hyper.validate_every_n_steps
        before, now = int(self.measured_at), self.global_step
        at_end = now >= self.hyper.trainer.max_steps
        if now == self.warm_start_steps or at_end or (every and now - before >= every):
            self.measured_at.fill_(now)
            self._write(self._measured(self.generator))
            if now > self.warm_start_steps:
                self._write({f"control_{name}": value for name, value in self._measured(self.control).items()})
        if at_end and now > self.warm_start_steps:
            self._write({"speed_adversarial_s": float(self.seconds[0]), "speed_control_s": float(self.seconds[1])})

    def _measured(self, generator: Generator) -> dict[str, float]:
        generator.eval()
        values = self._measure(generator)
        generator.train()
        return values

    def _write(self, values: dict[str, float]) -> None:
        if self.logger is not None:
            self.logger.log_metrics(values, self.global_step)


def log_probabilities(generator: Generator, tokens: Tensor, noise: Tensor) -> Tensor:
    """Log G (B, T - 1) of each token after the start of ``tokens`` (B, T); 0 at padding."""
    logits, said = generator(tokens[:, :-1], noise), tokens[:, 1:]
    costs = F.cross_entropy(logits.flatten(0, 1).float(), said.flatten(), ignore_index=PAD, reduction="none")
    return -costs.view(said.shape)
