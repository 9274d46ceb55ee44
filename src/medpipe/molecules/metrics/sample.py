"""Generated molecules with what several measures need of them, computed once."""

import numpy as np
import numpy.typing as npt

from medpipe.molecules.metrics import chemnet
from medpipe.molecules.metrics.bootstrap import block_counts
from medpipe.molecules.metrics.fcd import Moments, frechet_distance, frechet_distances, moments, moments_without
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.parse import Molecules

_BLOCKS_SEED = "blocks"  # stream of random numbers that cuts the molecules into parts


class Sample:
    """The generated molecules with what several measures need of them.

    Attributes:
        molecules: As read.
        activations: ChemNet's, (n_distinct, 512); None where no Fréchet distance exists or is asked for.
        blocks: How often each molecule occurs in each random part of the strings, (parts, n_distinct).
        without: How often each molecule occurs outside each part, (parts, n_distinct).
    """

    def __init__(self, molecules: Molecules, params: ScoreParams) -> None:
        from medpipe.training.device import torch_device

        self.molecules = molecules
        self.activations: npt.NDArray[np.float32] | None = None
        if params.fcd and molecules.n_valid > 1:
            device = str(torch_device(params.device))
            self.activations = chemnet.activations(molecules.smiles, device=device, batch=params.chemnet_batch)
        rng = np.random.default_rng([params.seed, *_BLOCKS_SEED.encode()])
        self.blocks = block_counts(molecules.row_of, len(molecules.smiles), rng)
        self.without = molecules.counts - self.blocks

    def frechet(self, reference: Moments) -> float | None:
        """Fréchet distance to a reference."""
        if self.activations is None:
            return None
        return frechet_distance(reference, moments(self.activations, self.molecules.counts))

    def frechet_without(self, reference: Moments) -> npt.NDArray[np.float64]:
        """Fréchet distance without each part; none where a part leaves fewer than two molecules."""
        if self.activations is None or self.without.sum(axis=1).min() < 2:
            return np.zeros(0)
        return np.array(list(frechet_distances(reference, moments_without(self.activations, self.blocks))))
