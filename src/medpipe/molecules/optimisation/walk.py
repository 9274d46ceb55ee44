"""Children by the latent family: a parent is encoded, moved a step, and decoded."""

from collections.abc import Sequence

import numpy as np
import torch

from medpipe.molecules.generation.latent.model import load_latent_model
from medpipe.molecules.optimisation.known import encode_known
from medpipe.molecules.optimisation.params import WalkParams
from medpipe.training.checkpoint import Checkpoint

_DECODED_TOGETHER = 1000


class LatentWalk:
    """See `medpipe.molecules.optimisation.evolution.Mutation`.

    Steps are taken in the coordinates in which the latents of training have unit variance, so that a step of length 1
    leads about as far in every direction.

    Args:
        checkpoint: A generator of the latent family.
        params: How far a step goes.
        device: Where the model runs.
    """

    def __init__(self, checkpoint: Checkpoint, params: WalkParams, device: torch.device) -> None:
        self._model, self._params, self._device = load_latent_model(checkpoint).to(device), params, device

    def __call__(self, parents: Sequence[str], seed: int) -> list[str]:
        """One child of each parent, as it came out; empty where the parent's tokens are unknown to the model."""
        distinct = list(dict.fromkeys(parents))
        ids = encode_known(self._model.vocabulary, distinct)
        known = [smiles for smiles, one in zip(distinct, ids, strict=True) if one is not None]
        if not known:
            return [""] * len(parents)
        number = {smiles: i for i, smiles in enumerate(known)}
        rows = [i for i, smiles in enumerate(parents) if smiles in number]
        random = torch.Generator(self._device).manual_seed(seed)
        here = self._model.whitening(self._model.encode(known))[[number[parents[i]] for i in rows]]
        there = self._model.whitening.restore(here + self._steps(here, random))
        children = [""] * len(parents)
        for row, child in zip(rows, self._decode(there, random), strict=True):
            children[row] = child
        return children

    def draw(self, n: int, seed: int) -> list[str]:
        """``n`` molecules from nothing, as they came out."""
        random = torch.Generator(self._device).manual_seed(seed)
        return self._decode(self._model.draw_latents(n, random), random)

    def _steps(self, here: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """Normal steps (n, L), their lengths spread evenly in the logarithm."""
        low, high = np.log(self._params.step_low), np.log(self._params.step_high)
        lengths = torch.exp(low + (high - low) * torch.rand((len(here), 1), generator=random, device=self._device))
        return lengths * torch.randn(here.shape, generator=random, device=self._device)

    def _decode(self, latents: torch.Tensor, random: torch.Generator) -> list[str]:
        return [smiles for part in latents.split(_DECODED_TOGETHER) for smiles in self._model.decode(part, random)]
