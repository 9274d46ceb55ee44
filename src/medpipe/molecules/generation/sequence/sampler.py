"""Drawing from a trained generator of sequences."""

import torch

from medpipe.molecules.generation.sequence.networks import rebuild_generator
from medpipe.molecules.generation.sequence.rollout import draw
from medpipe.training.checkpoint import Checkpoint

_LENGTH_ALLOWANCE = 2
"""A molecule may have this many times the tokens of the longest one learnt from, before it is cut."""


class SequenceSampler:
    """See `medpipe.molecules.generation.sampler.MoleculeSampler`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.generator, self.vocabulary = rebuild_generator(checkpoint)
        self.max_tokens = _LENGTH_ALLOWANCE * int(checkpoint.params["longest"]) + 1
        self._device = torch.device("cpu")

    def to(self, device: torch.device) -> "SequenceSampler":
        """Moves the network."""
        self.generator.to(device)
        self._device = device
        return self

    def draw(self, n: int, random: torch.Generator, *, temperature: float, top_p: float, max_tokens: int) -> list[str]:
        """See the protocol."""
        noise = torch.randn((n, self.generator.noise_size), generator=random, device=self._device)
        drawn = draw(self.generator, noise, max_tokens=max_tokens, random=random, temperature=temperature, top_p=top_p)
        return [self.vocabulary.decode(row) for row in drawn.tolist()]
