"""Typed parameters of the graph family."""

from pydantic import Field, PositiveInt

from medpipe.core.params import Fraction, Params
from medpipe.molecules.generation.direct.params import DirectParams


class GraphGeneratorParams(Params):
    """Multi-layer perceptron from noise to a graph.

    Attributes:
        noise_size: Length of z, standard normal.
        hidden_size: Units of each layer.
        n_layers: Hidden layers.
    """

    noise_size: PositiveInt = 64
    hidden_size: PositiveInt = 512
    n_layers: PositiveInt = 3


class GraphDiscriminatorParams(Params):
    """Relational graph convolutions.

    Attributes:
        hidden_size: Length of an atom's vector.
        n_layers: Bonds that it looks far.
    """

    hidden_size: PositiveInt = 64
    n_layers: PositiveInt = 3


class GraphParams(Params):
    """The graph family; ``trainer.max_steps`` are the control's, by likelihood.

    Attributes:
        max_atoms: Heavy atoms of the largest molecule; larger ones are left out and counted.
        max_molecules: Molecules of train that are looked at, the first ones; reading them as graphs takes time.
        generator: Shape of the generator.
        discriminator: Shape of its opponent.
        kl_weight: Weight of the divergence of a molecule's noise from the normal distribution in the warm start, a
            variational autoencoder (beta-VAE: Higgins et al., ICLR 2017).
        likelihood_weight: Weight of the likelihood (nats a molecule) in the adversarial stage, beside what the
            discriminator says; without it the discriminator destroys within some hundred steps what was learnt.
        warm_start_share: Share of the control's steps by likelihood after which the generator goes its own way.
        adversarial: Generator against discriminator.
    """

    max_atoms: PositiveInt = 20
    max_molecules: PositiveInt = 100_000
    generator: GraphGeneratorParams = GraphGeneratorParams()
    discriminator: GraphDiscriminatorParams = GraphDiscriminatorParams()
    kl_weight: float = Field(0.5, ge=0)
    likelihood_weight: float = Field(0.3, ge=0)
    warm_start_share: Fraction = 0.5
    adversarial: DirectParams = DirectParams()
