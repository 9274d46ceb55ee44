"""Training of the autoencoder."""

from torch import Tensor

from medpipe.molecules.generation.direct.likelihood import LikelihoodTraining
from medpipe.molecules.generation.direct.module import Measure
from medpipe.molecules.generation.latent.networks import Autoencoder
from medpipe.molecules.generation.params import GanParams


class AutoencoderTraining(LikelihoodTraining):
    """Trains a beta-VAE on batches (B, T) of molecules.

    Args:
        autoencoder: What is trained.
        params: Everything that can be chosen.
        measure: What is measured now and then; name to value.
    """

    def __init__(self, autoencoder: Autoencoder, params: GanParams, measure: Measure) -> None:
        super().__init__(params, params.latent.kl_weight, measure)
        self.autoencoder = autoencoder

    def costs(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See the base."""
        costs: tuple[Tensor, Tensor] = self.autoencoder(tokens)
        return costs
