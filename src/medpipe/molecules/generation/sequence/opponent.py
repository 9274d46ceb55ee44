"""The discriminator of token sequences, what it minimises, and what it pays the generator.

Shapes: B molecules, T tokens with the start, E length of a token's vector.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.losses import AccuracyBand, discriminator_loss, penalty, rewards
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.networks import Discriminator, Generator
from medpipe.molecules.generation.sequence.policy import token_rewards, verdicts


class Opponent(nn.Module):
    """A discriminator with its loss and its accuracy; all that must survive an interruption lies in its state.

    Args:
        params: Loss, band and networks.
        vocabulary: The tokens.
    """

    steps: Tensor
    started: Tensor
    real_mean: Tensor

    def __init__(self, params: GanParams, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._loss = params.loss
        self._head_start = params.sequence.adversarial.head_start_steps
        self.discriminator = Discriminator(params.sequence.discriminator, params.sequence.generator, vocabulary)
        self.band = AccuracyBand(params.loss, params.accuracy_band)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.register_buffer("real_mean", torch.zeros(()), persistent=False)

    @property
    def generator_listens(self) -> bool:
        """Whether it has learnt enough to be worth listening to."""
        return int(self.steps) >= self._head_start and self.band.generator_listens

    def start_from(self, generator: Generator) -> None:
        """Takes over how the generator reads, once."""
        if not self.started:
            self.discriminator.start_from(generator)
            self.started.fill_(True)

    def loss(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """What it minimises on real and generated molecules, (B, T) each; follows its accuracy on the way.

        Args:
            real: Token ids, padded.
            fake: Token ids, padded.
            random: Source of chance of the penalty, on the device of ``real``.
        """
        width = max(real.shape[1], fake.shape[1])
        real, fake = (F.pad(tokens, (0, width - tokens.shape[1]), value=PAD) for tokens in (real, fake))
        real_said, fake_said = real[:, 1:] != PAD, fake[:, 1:] != PAD
        real_logits, fake_logits = self.discriminator(real)[:, 1:].float(), self.discriminator(fake)[:, 1:].float()
        self.band.update(verdicts(real_logits, real_said), verdicts(fake_logits, fake_said))
        self.real_mean = real_logits[real_said].mean().detach()
        if self._loss.kind == "relativistic":  # it compares pairs: prefixes of the same number of tokens
            real_said = fake_said = real_said & fake_said
        loss = discriminator_loss(self._loss, real_logits[real_said], fake_logits[fake_said])
        return loss + self._penalty(real, fake, random)

    def rewards(self, fake: Tensor) -> Tensor:
        """What each token (B, T - 1) after the start earns the generator; judged without dropout."""
        self.discriminator.eval()
        with torch.no_grad():
            logits = self.discriminator(fake)[:, 1:].float()
        self.discriminator.train()
        return token_rewards(rewards(self._loss, logits, self.real_mean), fake[:, 1:] != PAD)

    def _penalty(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """Of the mean verdict over the prefixes that either molecule of a pair has, between their one-hot tokens.

        As Gulrajani et al. (section 5.4) had it for text. Embedded tokens would bound nothing: their vectors are learnt
        and could grow.
        """
        if self._loss.kind not in ("wasserstein_gp", "relativistic"):
            return torch.zeros((), device=real.device)
        said = ((real != PAD) | (fake != PAD)).float()
        said[:, 0] = 0
        weights = said / said.sum(1, keepdim=True)

        def mean_verdict(inputs: Tensor) -> Tensor:
            return (self.discriminator.judge_points(inputs).float() * weights).sum(1)

        points = self.discriminator.points
        with sdpa_kernel(SDPBackend.MATH):  # the faster kernels of attention cannot be differentiated twice
            return penalty(self._loss, mean_verdict, points(real), points(fake), random)
