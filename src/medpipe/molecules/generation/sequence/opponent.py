"""The discriminator as the generator meets it: what it reads, what it minimises, and what it pays.

Shapes: B molecules, T tokens with the start.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.losses import AccuracyBand, discriminator_loss, penalty, rewards
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.fingerprints import N_FEATURES, fingerprints
from medpipe.molecules.generation.sequence.networks import Discriminator, Generator
from medpipe.molecules.generation.sequence.policy import token_rewards, verdicts


class Opponent(nn.Module, ABC):
    """A discriminator with its loss and its accuracy; all that must survive an interruption lies in its state.

    Args:
        params: Loss, band and networks.
        discriminator: Its network.
    """

    steps: Tensor
    started: Tensor
    real_mean: Tensor

    def __init__(self, params: GanParams, discriminator: nn.Module) -> None:
        super().__init__()
        self._loss = params.loss
        self._head_start = params.sequence.adversarial.head_start_steps
        self.discriminator = discriminator
        self.band = AccuracyBand(params.loss, params.accuracy_band)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.register_buffer("real_mean", torch.zeros(()), persistent=False)

    @property
    def generator_listens(self) -> bool:
        """Whether it has learnt enough to be worth listening to."""
        return int(self.steps) >= self._head_start and self.band.generator_listens

    def start_from(self, generator: Generator) -> None:
        """Takes over what the generator has learnt and it can use, once."""
        if not self.started:
            self._start_from(generator)
            self.started.fill_(True)

    def _start_from(self, generator: Generator) -> None:
        """Most can use nothing."""

    @abstractmethod
    def read(self, tokens: Tensor) -> Tensor:
        """What it sees of molecules (B, T); both others want this."""

    @abstractmethod
    def loss(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """What it minimises, on what it sees of real and of generated molecules; follows its accuracy on the way.

        Args:
            real: B of them.
            fake: B of them.
            random: Source of chance of the penalty, on the device of ``real``.
        """

    @abstractmethod
    def rewards(self, fake: Tensor, said: Tensor) -> Tensor:
        """What each token (B, T - 1) after the start earns the generator; judged without dropout.

        Args:
            fake: What it sees of generated molecules.
            said: (B, T - 1) True where there is a token.
        """

    def _worth(self, logits: Tensor) -> Tensor:
        """What verdicts earn. With ``minimax`` the logit itself, which estimates log p(real) / p(generated).

        Its mean is the negative of KL(generated || real) (Poole et al., 2016), and unlike log D it does not fade where
        a molecule looks real; on val it gave more validity and a better FCD.
        """
        return logits if self._loss.kind == "minimax" else rewards(self._loss, logits, self.real_mean)


class TokenOpponent(Opponent):
    """Reads tokens and judges every prefix, so that each token has a reward of its own."""

    discriminator: Discriminator

    def __init__(self, params: GanParams, vocabulary: Vocabulary) -> None:
        sequence = params.sequence
        super().__init__(params, Discriminator(sequence.discriminator, sequence.generator, vocabulary))

    def _start_from(self, generator: Generator) -> None:
        self.discriminator.start_from(generator)

    def read(self, tokens: Tensor) -> Tensor:
        """See `Opponent`: the tokens themselves."""
        return tokens

    def loss(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """See `Opponent`."""
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

    def rewards(self, fake: Tensor, said: Tensor) -> Tensor:
        """See `Opponent`."""
        self.discriminator.eval()
        with torch.no_grad():
            logits = self.discriminator(fake)[:, 1:].float()
        self.discriminator.train()
        return token_rewards(self._worth(logits), said)

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


class FingerprintOpponent(Opponent):
    """Reads the finished molecule by its fingerprint; the last token earns the verdict.

    A string that is no molecule has no fingerprint, and is told by that.
    """

    def __init__(self, params: GanParams, vocabulary: Vocabulary) -> None:
        own = params.sequence.discriminator
        layers = nn.Linear(N_FEATURES, own.hidden_size), nn.SiLU(), nn.Dropout(own.dropout)
        super().__init__(params, nn.Sequential(*layers, nn.Linear(own.hidden_size, 1)))
        self._vocabulary = vocabulary

    def read(self, tokens: Tensor) -> Tensor:
        """See `Opponent`: (B, N_FEATURES)."""
        smiles = [self._vocabulary.decode(row) for row in tokens.tolist()]
        return torch.from_numpy(fingerprints(smiles)).to(tokens.device)

    def loss(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        """See `Opponent`."""
        real_logits, fake_logits = self._judge(real), self._judge(fake)
        self.band.update(real_logits, fake_logits)
        self.real_mean = real_logits.mean().detach()
        loss = discriminator_loss(self._loss, real_logits, fake_logits)
        return loss + penalty(self._loss, self._judge, real, fake, random)

    def rewards(self, fake: Tensor, said: Tensor) -> Tensor:
        """See `Opponent`."""
        self.discriminator.eval()
        with torch.no_grad():
            worth = self._worth(self._judge(fake))
        self.discriminator.train()
        last = said.sum(1, keepdim=True).clamp_min(1) - 1
        return torch.zeros(said.shape, device=fake.device).scatter(1, last, worth[:, None])

    def _judge(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(inputs).squeeze(-1).float()
        return logits


def build_opponent(params: GanParams, vocabulary: Vocabulary) -> Opponent:
    """The opponent of ``params.sequence.discriminator.kind``."""
    reads_molecules = params.sequence.discriminator.kind == "fingerprint"
    return FingerprintOpponent(params, vocabulary) if reads_molecules else TokenOpponent(params, vocabulary)
