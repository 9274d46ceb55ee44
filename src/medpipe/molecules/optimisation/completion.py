"""Children by the sequence generator: the end of a parent is cut off and written anew.

A molecule has as many writings as it has atoms to begin with, and more by the order of its branches (Arús-Pous et al.,
J. Cheminf. 11, 71, 2019), so what lies at the end, and is replaced, is another part each time. Cuts lie between the
tokens that byte-pair merging made of the writing: the generator then sees beginnings as it has learnt them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medpipe.molecules.encoding.tokens import PAD
from medpipe.molecules.generation.sequence.rollout import draw
from medpipe.molecules.generation.sequence.sampler import SequenceSampler
from medpipe.molecules.optimisation.known import encode_known
from medpipe.molecules.optimisation.params import CompletionParams
from medpipe.training.checkpoint import Checkpoint

_DRAWN_TOGETHER = 1000


class Completion:
    """See `medpipe.molecules.optimisation.evolution.Mutation`.

    Args:
        checkpoint: A generator of the sequence family.
        params: How much is cut off.
        device: Where the generator runs.
    """

    def __init__(self, checkpoint: Checkpoint, params: CompletionParams, device: torch.device) -> None:
        self._sampler = SequenceSampler(checkpoint).to(device)
        self._params, self._device = params, device

    def __call__(self, parents: Sequence[str], seed: int) -> list[str]:
        """One child of each parent, as it came out; empty where the parent's tokens are unknown to the generator."""
        rng, random = np.random.default_rng(seed), torch.Generator(self._device).manual_seed(seed)
        writings = _writings(parents, rng, self._params.random_writings)
        prefixes = [self._cut(ids, rng) for ids in encode_known(self._sampler.vocabulary, writings)]
        known = [i for i, prefix in enumerate(prefixes) if prefix is not None]
        children = [""] * len(parents)
        for first in range(0, len(known), _DRAWN_TOGETHER):
            rows = known[first : first + _DRAWN_TOGETHER]
            for row, child in zip(rows, self._complete([prefixes[i] or [] for i in rows], random), strict=True):
                children[row] = child
        return children

    def draw(self, n: int, seed: int) -> list[str]:
        """``n`` molecules from nothing, as they came out."""
        random = torch.Generator(self._device).manual_seed(seed)
        return self._complete([[]] * n, random)

    def _cut(self, ids: list[int] | None, rng: np.random.Generator) -> list[int] | None:
        """The tokens that stay, all but one at most."""
        if not ids:
            return None
        least = int(np.ceil(self._params.keep_low * len(ids)))
        return ids[: rng.integers(min(least, len(ids) - 1), len(ids))]

    def _complete(self, prefixes: list[list[int]], random: torch.Generator) -> list[str]:
        generator = self._sampler.generator
        noise = torch.randn((len(prefixes), generator.noise_size), generator=random, device=self._device)
        drawn = draw(
            generator,
            noise,
            max_tokens=self._sampler.max_tokens,
            random=random,
            temperature=self._params.temperature,
            prefix=_padded(prefixes).to(self._device),
        )
        return [self._sampler.vocabulary.decode(row) for row in drawn.tolist()]


def _writings(parents: Sequence[str], rng: np.random.Generator, random_share: float) -> list[str]:
    """Each parent written from a random atom."""
    from rdkit import Chem

    mols = {smiles: Chem.MolFromSmiles(smiles) for smiles in set(parents)}
    written = []
    for smiles in parents:
        mol = mols[smiles]
        atom = int(rng.integers(mol.GetNumAtoms()))
        if rng.random() < random_share:
            order = rng.permutation(mol.GetNumAtoms()).tolist()
            shuffled = Chem.RenumberAtoms(mol, order)
            written.append(Chem.MolToSmiles(shuffled, canonical=False, rootedAtAtom=order.index(atom)))
        else:
            written.append(Chem.MolToSmiles(mol, rootedAtAtom=atom))
    return written


def _padded(prefixes: list[list[int]]) -> Tensor:
    """Ids (B, P), padded at the end."""
    padded = np.full((len(prefixes), max(map(len, prefixes), default=0)), PAD, np.int64)
    for row, ids in zip(padded, prefixes, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(padded)
