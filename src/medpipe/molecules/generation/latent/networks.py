"""Autoencoder of token sequences, generator and discriminator of its latent vectors.

Shapes: B molecules, T tokens, L = size of a latent vector.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.direct.gan import DirectGenerator
from medpipe.molecules.generation.latent.params import EncoderParams, LatentParams, PriorParams
from medpipe.molecules.generation.sequence.networks import Generator, GeneratorState
from medpipe.molecules.generation.sequence.params import GeneratorParams

_FIRST_LOG_STD = -2.0
"""Latents start with little noise: a decoder that hears nothing at first learns not to listen (posterior collapse)."""
_LEAK = 0.2
"""Slope of the rectifiers below zero, as in the critics of Gulrajani et al. (2017) and Huang et al. (2024)."""


class Encoder(nn.Module):
    """Tokens to the normal distribution of their latent vector: a GRU, its last output and the mean of all.

    Args:
        params: Its shape.
        latent_size: L.
        vocabulary: Its tokens.
    """

    def __init__(self, params: EncoderParams, latent_size: int, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(vocabulary), params.embedding_size, padding_idx=PAD)
        self.rnn = nn.GRU(params.embedding_size, params.hidden_size, batch_first=True)
        self.to_mean = nn.Linear(2 * params.hidden_size, latent_size)
        self.to_log_std = nn.Linear(2 * params.hidden_size, latent_size)
        nn.init.constant_(self.to_log_std.bias, _FIRST_LOG_STD)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the standard deviation, (B, L) each, of ``tokens`` (B, T)."""
        outputs, _ = self.rnn(self.embedding(tokens))
        there = (tokens != PAD)[..., None]
        length = there.sum(1)
        mean = (outputs * there).sum(1) / length
        last = outputs.take_along_dim(length[:, None] - 1, 1).squeeze(1)
        summary = torch.cat([last, mean], -1)
        return self.to_mean(summary), self.to_log_std(summary)


class Decoder(Generator):
    """A generator of the sequence family that hears the latent vector at every token, not only before the first."""

    def __init__(self, params: GeneratorParams, vocabulary: Vocabulary) -> None:
        super().__init__(params, vocabulary)
        self.reminder = nn.Linear(params.noise_size, params.embedding_size, bias=False)

    def first_state(self, noise: Tensor) -> GeneratorState:
        """State before the first token, of latents (B, L); its memory ends with what is heard at every token."""
        state = super().first_state(noise)
        return GeneratorState((*state.memory, self.reminder(noise)), state.open)

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of ``tokens`` (B, T), of latents (B, L)."""
        left_open = self.syntax.follow(tokens)
        inputs = self._inputs(tokens, left_open) + self.reminder(noise)[:, None]
        return self._logits(self.core(inputs, self.from_noise(noise)), left_open)

    def step(self, tokens: Tensor, state: GeneratorState) -> tuple[Tensor, GeneratorState]:
        """One token further: logits (B, V) of the token after ``tokens`` (B,), and the new state."""
        left_open = self.syntax.advance(state.open, tokens)
        *memory, heard = state.memory
        outputs, new = self.core.step(self._inputs(tokens, left_open) + heard, tuple(memory))
        return self._logits(outputs, left_open), GeneratorState((*new, heard), left_open)


class Autoencoder(nn.Module):
    """Molecules to latent vectors and back (Gomez-Bombarelli et al., ACS Central Science 2018).

    Args:
        params: Shapes.
        vocabulary: Its tokens.
    """

    def __init__(self, params: LatentParams, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.encoder = Encoder(params.encoder, params.decoder.noise_size, vocabulary)
        self.decoder = Decoder(params.decoder, vocabulary)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Nats a molecule of ``tokens`` (B, T): -log p(tokens | latent), and the divergence from the normal."""
        mean, log_std = (moment.float() for moment in self.encoder(tokens))
        latents = mean + log_std.exp() * torch.randn_like(mean)
        logits = self.decoder(tokens[:, :-1], latents)
        cost = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten(), ignore_index=PAD, reduction="sum")
        divergence = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum()
        return cost / len(tokens), divergence / len(tokens)


class Whitening(nn.Module):
    """The normal distribution fitted to the latents of train, and the change of coordinates that makes it standard.

    Args:
        size: L.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("factor", torch.eye(size))

    def fit(self, means: Tensor, log_stds: Tensor) -> None:
        """Takes mean and Cholesky factor of the covariance of latents drawn from n normal distributions, (n, L)."""
        noise = torch.diag((2 * log_stds.double()).exp().mean(0))
        covariance = torch.cov(means.double().T) + noise if len(means) > 1 else noise
        self.mean.copy_(means.mean(0))
        self.factor.copy_(torch.linalg.cholesky(covariance))

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (B, L) in the coordinates in which they are standard normal, but for their shape."""
        return torch.linalg.solve_triangular(self.factor, (latents - self.mean).T, upper=False).T

    def restore(self, white: Tensor) -> Tensor:
        """Inverse of ``forward``."""
        return white @ self.factor.T + self.mean


class LatentGenerator(DirectGenerator):
    """G(z) = z + f(z), both (B, L) and white: before training it is the fitted normal distribution itself.

    Args:
        params: Its shape.
        size: L.
    """

    def __init__(self, params: PriorParams, size: int) -> None:
        super().__init__()
        self.noise_size = size
        self.blocks = _blocks(params, size)
        self.out = nn.Linear(size, size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, noise: Tensor) -> Tensor:
        """White latents of ``noise``."""
        return noise + self.out(self.blocks(noise))


class LatentDiscriminator(nn.Module):
    """D(x): the logit (B,) that white latents (B, L) are those of a molecule.

    Args:
        params: Its shape.
        size: L.
    """

    def __init__(self, params: PriorParams, size: int) -> None:
        super().__init__()
        self.blocks = _blocks(params, size)
        self.verdict = nn.Linear(size, 1)

    def forward(self, latents: Tensor) -> Tensor:
        """Logits."""
        return self.verdict(self.blocks(latents)).squeeze(-1)


class _Block(nn.Module):
    """x + f(x), f a layer up to the hidden size and one back."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(size, hidden_size), nn.Linear(hidden_size, size)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.leaky_relu(self.up(x), _LEAK))


def _blocks(params: PriorParams, size: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(size, params.hidden_size) for _ in range(params.n_blocks)))
