"""What every family's generator can do: draw molecules."""

from typing import Protocol

import torch

from medpipe.core.errors import InputError
from medpipe.training.checkpoint import Checkpoint

KIND = "smiles_generator"


class MoleculeSampler(Protocol):
    """A trained generator, ready to draw.

    Attributes:
        max_tokens: Longest molecule it draws where nobody says another, in its tokens.
    """

    max_tokens: int

    def to(self, device: torch.device) -> "MoleculeSampler":
        """Moves its networks."""
        ...

    def draw(self, n: int, random: torch.Generator, *, temperature: float, top_p: float, max_tokens: int) -> list[str]:
        """``n`` strings as they come out, drawn side by side; invalid and empty ones included.

        Args:
            n: How many.
            random: Source of chance, on the sampler's device.
            temperature: Divides the logits; 1 draws as trained.
            top_p: Share of probability that the most likely tokens must hold; 1 takes all.
            max_tokens: A molecule that has not ended by then is cut.
        """
        ...


def load_sampler(checkpoint: Checkpoint) -> MoleculeSampler:
    """The sampler of a checkpoint, on the CPU.

    Raises:
        InputError: The checkpoint holds no generator, or one of an unknown family.
    """
    if checkpoint.kind != KIND:
        raise InputError(f"checkpoint: its kind is {checkpoint.kind!r}, expected {KIND!r}; give what train_gan made.")
    family = checkpoint.params.get("family")
    if family == "sequence":
        from medpipe.molecules.generation.sequence.sampler import SequenceSampler

        return SequenceSampler(checkpoint)
    if family == "latent":
        from medpipe.molecules.generation.latent.model import load_latent_model

        return load_latent_model(checkpoint)
    if family == "graph":
        from medpipe.molecules.generation.graph.model import load_graph_sampler

        return load_graph_sampler(checkpoint)
    raise InputError(f"checkpoint: its family is {family!r}, which this version does not know.")
