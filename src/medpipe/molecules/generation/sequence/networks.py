"""Generator and discriminator of token sequences, and how a checkpoint rebuilds the generator.

Shapes: B molecules, T tokens, V tokens in the vocabulary, E length of a token's vector.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.encoding.syntax import Syntax
from medpipe.molecules.encoding.tokens import PAD, Vocabulary
from medpipe.molecules.generation.sampler import KIND
from medpipe.molecules.generation.sequence.cores import GENERATING, JUDGING, GeneratingCore, Memory
from medpipe.molecules.generation.sequence.params import DiscriminatorParams, GeneratorParams
from medpipe.training.checkpoint import Checkpoint

_EMBEDDING_STD = 0.05
"""Output logits are products with the embedding: a unit variance would start them far from uniform."""


@dataclass(frozen=True, slots=True)
class GeneratorState:
    """What a generator remembers of B unfinished molecules.

    Attributes:
        memory: What its core remembers, B first.
        open: (B, R + 1) rings and branches left open.
    """

    memory: Memory
    open: Tensor

    def rows(self, index: Tensor) -> "GeneratorState":
        """The state of some of the molecules."""
        return GeneratorState(tuple(one[index] for one in self.memory), self.open[index])


class Generator(nn.Module):
    """G(z): the noise z is the first thought of a core that then says one token after another.

    The core is told at each step what the molecule so far leaves open, and tokens that SMILES grammar forbids there
    have no probability (see ``syntax``).

    Args:
        params: Its shape.
        vocabulary: Its tokens, V of them.
    """

    def __init__(self, params: GeneratorParams, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.noise_size = params.noise_size
        self.syntax = Syntax(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), params.embedding_size, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_STD)
        self.from_open = nn.Linear(self.syntax.n_features, params.embedding_size, bias=False)
        nn.init.normal_(self.from_open.weight, std=_EMBEDDING_STD)
        self.dropout = nn.Dropout(params.dropout)
        self.core: GeneratingCore = GENERATING[params.kind](params)
        self.from_noise = nn.Linear(params.noise_size, self.core.n_first)
        self.to_embedding = nn.Linear(params.hidden_size, params.embedding_size)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary)))

    def first_state(self, noise: Tensor) -> GeneratorState:
        """State before the first token, of noise (B, noise_size)."""
        nothing_open = self.syntax.toggles.new_zeros(len(noise), self.syntax.n_features)
        return GeneratorState(self.core.start(self.from_noise(noise)), nothing_open)

    def forward(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of ``tokens`` (B, T), of noise (B, noise_size)."""
        left_open = self.syntax.follow(tokens)
        return self._logits(self.core(self._inputs(tokens, left_open), self.from_noise(noise)), left_open)

    def step(self, tokens: Tensor, state: GeneratorState) -> tuple[Tensor, GeneratorState]:
        """One token further: logits (B, V) of the token after ``tokens`` (B,), and the new state."""
        left_open = self.syntax.advance(state.open, tokens)
        outputs, memory = self.core.step(self._inputs(tokens, left_open), state.memory)
        return self._logits(outputs, left_open), GeneratorState(memory, left_open)

    def _inputs(self, tokens: Tensor, left_open: Tensor) -> Tensor:
        return self.dropout(self.embedding(tokens) + self.from_open(self.syntax.features(left_open)))

    def _logits(self, outputs: Tensor, left_open: Tensor) -> Tensor:
        logits = F.linear(self.to_embedding(outputs), self.embedding.weight, self.bias)
        return logits.masked_fill(self.syntax.forbidden(left_open), float("-inf"))


class Discriminator(nn.Module):
    """D(x): for each prefix of a sequence the logit that it comes from a real molecule.

    The last one is the verdict on the whole. What one token adds to it is that token's share of the reward. Where it
    reads as the generator does, it can start from what that has learnt of the language: from nothing it takes hundreds
    of steps to see any difference between real and generated molecules.

    Args:
        params: Its own part.
        generator: Sizes of the generator, which are those of its reading part.
        vocabulary: Its tokens.
    """

    def __init__(self, params: DiscriminatorParams, generator: GeneratorParams, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._reads_alike = JUDGING[params.kind] is GENERATING[generator.kind]
        self.syntax = Syntax(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), generator.embedding_size, padding_idx=PAD)
        self.from_open = nn.Linear(self.syntax.n_features, generator.embedding_size, bias=False)
        self.core = JUDGING[params.kind](generator)
        self.dropout = nn.Dropout(params.dropout)
        self.judge = nn.Sequential(nn.Linear(generator.hidden_size, params.hidden_size), nn.SiLU())
        self.verdict = nn.Linear(params.hidden_size, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T) of the prefixes that end with each of ``tokens`` (B, T)."""
        left_open = self.syntax.features(self.syntax.follow(tokens))
        return self._judge(self.embedding(tokens) + self.from_open(left_open))

    def points(self, tokens: Tensor) -> Tensor:
        """``tokens`` (B, T) as points of a continuous space, (B, T, V + R + 1): one of V, and what is left open."""
        one_hot = F.one_hot(tokens, self.embedding.num_embeddings) * (tokens != PAD)[..., None]
        return torch.cat([one_hot.float(), self.syntax.features(self.syntax.follow(tokens))], -1)

    def judge_points(self, points: Tensor) -> Tensor:
        """Logits (B, T) of points between tokens, (B, T, V + R + 1)."""
        one_hot, left_open = points.split([self.embedding.num_embeddings, self.syntax.n_features], -1)
        return self._judge(one_hot @ self.embedding.weight + self.from_open(left_open))

    def _judge(self, inputs: Tensor) -> Tensor:
        return self.verdict(self.judge(self.core(self.dropout(inputs)))).squeeze(-1)

    def start_from(self, generator: Generator) -> None:
        """Takes over the generator's token vectors, and its core where both read alike."""
        for name in ("embedding", "from_open", "core") if self._reads_alike else ("embedding", "from_open"):
            getattr(self, name).load_state_dict(getattr(generator, name).state_dict())


def generator_checkpoint(
    generator: Generator, params: GeneratorParams, vocabulary: Vocabulary, longest: int, provenance: dict[str, Any]
) -> Checkpoint:
    """A generator with all that rebuilds it.

    Args:
        generator: The trained network.
        params: Its shape.
        vocabulary: What its tokens mean.
        longest: Tokens of the longest molecule it was trained on.
        provenance: Where it comes from.
    """
    content = {"generator": params.model_dump(mode="json"), "vocabulary": vocabulary.to_dict(), "longest": longest}
    return Checkpoint(KIND, dict(generator.state_dict()), {"family": "sequence", **content}, provenance)


def rebuild_generator(checkpoint: Checkpoint) -> tuple[Generator, Vocabulary]:
    """The network and vocabulary of a checkpoint, on the CPU, in evaluation mode."""
    vocabulary = Vocabulary.from_dict(checkpoint.params["vocabulary"])
    generator = Generator(GeneratorParams(**checkpoint.params["generator"]), vocabulary)
    generator.load_state_dict(checkpoint.weights)
    return generator.eval(), vocabulary
