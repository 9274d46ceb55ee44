"""What SMILES leaves open: ring closures that wait for their partner, branches that wait for their bracket.

Both follow from the tokens said so far by adding up a few numbers a token, so the generator is told them at every step
rather than left to count, and never ends a molecule or closes a branch where the grammar (OpenSMILES, sections 3.4 and
3.5) forbids it. Valence and aromaticity it has to learn.

Shapes: B molecules, T tokens, V tokens in the vocabulary, R ring labels.
"""

import re

import torch
from torch import Tensor, nn

from medpipe.molecules.encoding.tokens import END, PAD, START, Vocabulary

_BRACKET_ATOM = re.compile(r"\[[^\]]*\]")
_RING_LABEL = re.compile(r"%\(\d+\)|%\d\d|\d")
_DEPTH_SCALE = 4.0
"""Branches are seldom nested deeper; it brings the depth to about one as a network's input."""


class Syntax(nn.Module):
    """Tables of what each token opens and closes; nothing in it is learnt.

    Args:
        vocabulary: The tokens.
    """

    toggles: Tensor
    depth_change: Tensor
    lowest_depth: Tensor
    never: Tensor

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        bare = [_BRACKET_ATOM.sub("", text) for text in vocabulary.texts]
        found = [_RING_LABEL.findall(text) for text in bare]
        labels = sorted({label for one in found for label in one})
        toggles = torch.tensor([[one.count(label) % 2 for label in labels] for one in found])
        depths = [_depths(text) for text in bare]
        self.register_buffer("toggles", toggles.view(len(bare), len(labels)), persistent=False)
        self.register_buffer("depth_change", torch.tensor([path[-1] for path in depths]), persistent=False)
        self.register_buffer("lowest_depth", torch.tensor([min(path) for path in depths]), persistent=False)
        never = torch.zeros(len(bare), dtype=torch.bool)
        never[[PAD, START]] = True
        self.register_buffer("never", never, persistent=False)

    @property
    def n_features(self) -> int:
        """Size of ``features``: an open flag a ring label, and the depth of branches."""
        return self.toggles.shape[1] + 1

    def follow(self, tokens: Tensor) -> Tensor:
        """State (B, T, R + 1) after each of ``tokens`` (B, T): rings open (0 or 1) and depth."""
        rings = self.toggles[tokens].cumsum(1) % 2
        depth = self.depth_change[tokens].cumsum(1)
        return torch.cat([rings, depth[..., None]], -1)

    def advance(self, state: Tensor, tokens: Tensor) -> Tensor:
        """State (B, R + 1) after one more token (B,)."""
        rings = (state[:, :-1] + self.toggles[tokens]) % 2
        depth = state[:, -1] + self.depth_change[tokens]
        return torch.cat([rings, depth[:, None]], -1)

    def features(self, state: Tensor) -> Tensor:
        """State (..., R + 1) as a network's input."""
        return torch.cat([state[..., :-1].float(), state[..., -1:].float() / _DEPTH_SCALE], -1)

    def forbidden(self, state: Tensor) -> Tensor:
        """Tokens (..., V) that cannot follow a state (..., R + 1)."""
        forbidden = (state[..., -1:] + self.lowest_depth < 0) | self.never
        forbidden[..., END] = (state != 0).any(-1)
        return forbidden


def _depths(text: str) -> list[int]:
    """Depth of branches along a text, from 0 at its start."""
    path = [0]
    for character in text:
        path.append(path[-1] + (character == "(") - (character == ")"))
    return path
