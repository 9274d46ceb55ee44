"""Typed parameters of the latent family."""

from pydantic import Field, PositiveInt

from medpipe.core.params import Params
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.sequence.params import GeneratorParams


class EncoderParams(Params):
    """Recurrent encoder of the autoencoder.

    Attributes:
        embedding_size: Length of a token's vector.
        hidden_size: Units of its GRU.
    """

    embedding_size: PositiveInt = 128
    hidden_size: PositiveInt = 256


class PriorParams(Params):
    """The generator of latents and its opponent: linear blocks with shortcuts.

    Attributes:
        hidden_size: Units inside a block.
        n_blocks: Blocks of each of the two.
    """

    hidden_size: PositiveInt = 256
    n_blocks: PositiveInt = 3


class LatentParams(Params):
    """The latent family; ``trainer.max_steps`` are the autoencoder's, ``adversarial.steps`` come after them.

    Attributes:
        encoder: Shape of the encoder.
        decoder: Shape of the decoder, a generator of the sequence family whose noise is the latent vector.
        kl_weight: Weight of the divergence of a molecule's latents from the normal distribution, beside the likelihood
            (beta-VAE: Higgins et al., ICLR 2017); low ones reconstruct better, high ones make the space smoother.
        prior: Shape of the generator of latents and of its opponent.
        adversarial: Their training, after that of the autoencoder.
        max_latents: Molecules of train whose latents the generator of latents learns from.
    """

    encoder: EncoderParams = EncoderParams()
    decoder: GeneratorParams = GeneratorParams(noise_size=64)
    kl_weight: float = Field(0.05, ge=0)
    prior: PriorParams = PriorParams()
    adversarial: DirectParams = DirectParams()
    max_latents: PositiveInt = 200_000
