"""Drawing token sequences from a generator, many side by side."""

import torch
from torch import Tensor

from medpipe.molecules.encoding.tokens import END, PAD, START
from medpipe.molecules.generation.sequence.networks import Generator


@torch.no_grad()
def draw(
    generator: Generator,
    noise: Tensor,
    *,
    max_tokens: int,
    random: torch.Generator,
    temperature: float = 1.0,
    top_p: float = 1.0,
    prefix: Tensor | None = None,
) -> Tensor:
    """Draw one sequence a row of noise; finished sequences leave the batch, so that each step costs what it must.

    Args:
        generator: The network, on the device of ``noise``.
        noise: (B, noise_size) z.
        max_tokens: A sequence that has not ended by then is cut.
        random: Source of chance, on the device of ``noise``.
        temperature: Divides the logits.
        top_p: Nucleus sampling (Holtzman et al., ICLR 2020); 1 takes all tokens.
        prefix: (B, P) ids that the sequences begin with, without the start; shorter ones padded at their end. None
            begins with nothing.

    Returns:
        Token ids (B, T): the start, what was said, the end (absent where cut), padding.
    """
    device, n = noise.device, len(noise)
    drawn = torch.full((n, max_tokens + 1), PAD, dtype=torch.long, device=device)
    drawn[:, 0] = START
    rows = torch.arange(n, device=device)
    token, state = drawn[:, 0], generator.first_state(noise)
    last = 0
    for last in range(1, max_tokens + 1):
        logits, state = generator.step(token, state)
        token = _choose(logits.float() / temperature, top_p, random)
        if prefix is not None and last <= prefix.shape[1]:
            given = prefix[rows, last - 1]
            token = torch.where(given == PAD, token, given)
        drawn[rows, last] = token
        going = (token != END).nonzero(as_tuple=True)[0]
        if not len(going):
            break
        if len(going) < len(rows):
            rows, token, state = rows[going], token[going], state.rows(going)
    return drawn[:, : last + 1]


def _choose(logits: Tensor, top_p: float, random: torch.Generator) -> Tensor:
    """One token a row of logits (B, V)."""
    probabilities = logits.softmax(-1)
    if top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        # The first token is always kept: before it there is nothing.
        ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= top_p, 0)
        probabilities = torch.zeros_like(probabilities).scatter(-1, order, ordered)
    return torch.multinomial(probabilities, 1, generator=random).squeeze(-1)
