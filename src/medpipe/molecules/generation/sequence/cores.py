"""How generator and discriminator read: from token vectors to one output a prefix.

Each output depends on its prefix alone, so the same core judges prefixes, and generates step by step with a memory of
what was read. A generator's first thought (a vector made of its noise) comes before the first token.

Shapes: B molecules, T tokens, E inputs, H outputs a token. A memory is a tuple of tensors, B first.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medpipe.molecules.generation.sequence.params import GeneratorParams

Memory = tuple[Tensor, ...]

_KERNEL_SIZES = (2, 3, 5, 8)
"""Tokens that a filter sees; a ring of six atoms is one to eight of them."""
_MLP_FACTOR = 4
_ROTARY_BASE = 10_000.0
_INIT_STD = 0.02
"""GPT-2's; outputs of the residual branches start smaller still."""


class GeneratingCore(nn.Module, ABC):
    """What a generator asks of the way it reads.

    Attributes:
        n_first: Length of the first thought.
    """

    n_first: int

    @abstractmethod
    def forward(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """Outputs (B, T, H) of inputs (B, T, E) after a first thought (B, n_first)."""

    @abstractmethod
    def start(self, first: Tensor) -> Memory:
        """Memory before the first token."""

    @abstractmethod
    def step(self, inputs: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """One token further: output (B, H) of input (B, E), and the new memory."""


class GruCore(GeneratingCore):
    """A GRU; the first thought is its first state, its memory that of each layer, (B, layers, H)."""

    def __init__(self, params: GeneratorParams) -> None:
        super().__init__()
        self.n_first = params.n_layers * params.hidden_size
        self.rnn = nn.GRU(params.embedding_size, params.hidden_size, params.n_layers, batch_first=True)

    def forward(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """See `GeneratingCore`."""
        outputs: Tensor = self.rnn(inputs, None if first is None else self._hidden(self.start(first)))[0]
        return outputs

    def start(self, first: Tensor) -> Memory:
        """See `GeneratingCore`."""
        return (torch.tanh(first).view(len(first), self.rnn.num_layers, self.rnn.hidden_size),)

    def step(self, inputs: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See `GeneratingCore`."""
        outputs, hidden = self.rnn(inputs[:, None], self._hidden(memory))
        return outputs[:, 0], (hidden.transpose(0, 1),)

    def _hidden(self, memory: Memory) -> Tensor:
        return memory[0].transpose(0, 1).contiguous()


class TransformerCore(GeneratingCore):
    """A causal transformer, normalised before each branch; the first thought is read as a token before the first.

    Its memory holds keys and values of each layer, (B, 2, heads, tokens read, H / heads).
    """

    def __init__(self, params: GeneratorParams) -> None:
        super().__init__()
        self.n_first = params.embedding_size
        self.enter = nn.Linear(params.embedding_size, params.hidden_size)
        self.blocks = nn.ModuleList(_Block(params) for _ in range(params.n_layers))
        self.norm = nn.RMSNorm(params.hidden_size)

    def forward(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """See `GeneratingCore`."""
        if first is None:
            return self._read(inputs, self._nothing())[0]
        return self._read(torch.cat([first[:, None], inputs], 1), self._nothing())[0][:, 1:]

    def start(self, first: Tensor) -> Memory:
        """See `GeneratingCore`."""
        return self._read(first[:, None], self._nothing())[1]

    def step(self, inputs: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See `GeneratingCore`."""
        outputs, memory = self._read(inputs[:, None], memory)
        return outputs[:, 0], memory

    def _nothing(self) -> tuple[None, ...]:
        return (None,) * len(self.blocks)

    def _read(self, inputs: Tensor, memory: tuple[Tensor | None, ...]) -> tuple[Tensor, Memory]:
        values, kept = self.enter(inputs), []
        for block, known in zip(self.blocks, memory, strict=True):
            values, known = block(values, known)
            kept.append(known)
        return self.norm(values), tuple(kept)


class _Block(nn.Module):
    """Attention, then two layers a token, each added to what came in (Vaswani et al., NeurIPS 2017).

    Positions are turned into keys and queries (RoPE: Su et al., 2021), so no length is the longest.
    """

    def __init__(self, params: GeneratorParams) -> None:
        super().__init__()
        size, self.n_heads = params.hidden_size, params.n_heads
        self.attention_norm, self.mlp_norm = nn.RMSNorm(size), nn.RMSNorm(size)
        self.to_qkv = nn.Linear(size, 3 * size, bias=False)
        self.from_attention = nn.Linear(size, size, bias=False)
        self.dropout = nn.Dropout(params.dropout)
        self.widen, self.narrow = nn.Linear(size, _MLP_FACTOR * size), nn.Linear(_MLP_FACTOR * size, size)
        for weight in (self.to_qkv.weight, self.widen.weight):
            nn.init.normal_(weight, std=_INIT_STD)
        for weight in (self.from_attention.weight, self.narrow.weight):
            nn.init.normal_(weight, std=_INIT_STD * (2 * params.n_layers) ** -0.5)

    def forward(self, values: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs (B, T, H) of ``values`` (B, T, H) after the keys and values ``known``; and these with the new ones.

        With something known, one token is read at a time.
        """
        qkv = self.to_qkv(self.attention_norm(values)).unflatten(-1, (3, self.n_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        n_known = 0 if known is None else known.shape[3]
        query, key = _rotate(query, n_known), _rotate(key, n_known)
        memory = torch.stack([key, value], 1)
        if known is not None:
            memory = torch.cat([known, memory], 3)
        found = F.scaled_dot_product_attention(query, memory[:, 0], memory[:, 1], is_causal=known is None)
        values = values + self.dropout(self.from_attention(found.transpose(1, 2).flatten(2)))
        return values + self.dropout(self.narrow(F.gelu(self.widen(self.mlp_norm(values))))), memory


def _rotate(values: Tensor, first: int) -> Tensor:
    """Turns pairs of (B, heads, T, D) by angles that grow with the position, ``first`` at the first token."""
    half = values.shape[-1] // 2
    speeds = _ROTARY_BASE ** (-torch.arange(half, device=values.device) / half)
    angles = torch.arange(first, first + values.shape[2], device=values.device)[:, None] * speeds
    cos, sin = angles.cos().to(values.dtype), angles.sin().to(values.dtype)
    left, right = values[..., :half], values[..., half:]
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


class CnnCore(nn.Module):
    """Convolutions of several widths over the tokens so far, and the running maximum of what each has found.

    The text classifier of Kim (EMNLP 2014), SeqGAN's discriminator, with one output a prefix. It generates nothing.
    """

    def __init__(self, params: GeneratorParams) -> None:
        super().__init__()
        sizes = [params.hidden_size // len(_KERNEL_SIZES)] * len(_KERNEL_SIZES)
        sizes[0] += params.hidden_size - sum(sizes)
        self.filters = nn.ModuleList(
            nn.Conv1d(params.embedding_size, size, width) for size, width in zip(sizes, _KERNEL_SIZES, strict=True)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (B, T, H) of inputs (B, T, E)."""
        channels = inputs.transpose(1, 2)
        found = [one(F.pad(channels, (width - 1, 0))) for one, width in zip(self.filters, _KERNEL_SIZES, strict=True)]
        return F.relu(torch.cat(found, 1)).cummax(2).values.transpose(1, 2)


GENERATING: dict[str, type[GruCore | TransformerCore]] = {"gru": GruCore, "transformer": TransformerCore}
"""How a generator may read, by ``GeneratorParams.kind``."""

JUDGING: dict[str, type[GruCore | TransformerCore | CnnCore]] = {
    "rnn": GruCore,
    "cnn": CnnCore,
    "transformer": TransformerCore,
}
"""How a discriminator may, by ``DiscriminatorParams.kind``."""
