"""Typed parameters of the sequence family."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from medpipe.core.params import Fraction, Params


class GeneratorParams(Params):
    """Recurrent generator G(z).

    Attributes:
        noise_size: Length of z, standard normal.
        embedding_size: Length of a token's vector; input and output share it.
        hidden_size: Units of each GRU layer.
        n_layers: GRU layers.
    """

    noise_size: PositiveInt = 32
    embedding_size: PositiveInt = 192
    hidden_size: PositiveInt = 256
    n_layers: PositiveInt = 1


class DiscriminatorParams(Params):
    """Recurrent discriminator, one verdict a prefix; it reads with a GRU of the generator's shape.

    Attributes:
        hidden_size: Units between what it read and its verdict.
        dropout: Share of its input values dropped in training.
    """

    hidden_size: PositiveInt = 128
    dropout: Fraction = 0.1


class AdversarialParams(Params):
    """The adversarial stage.

    Attributes:
        share: Share of all optimizer steps that it takes, at the end; 0 trains by likelihood alone (the control).
        weight: Weight of the policy gradient beside the likelihood loss that anchors it.
        likelihood_weight: Weight of that anchor.
        learning_rate: Of the discriminator.
        head_start_steps: Discriminator steps before the generator listens to it.
        trace_decay: Decay of future rewards a token (0: each token by its own reward, 1: by all that follow).
    """

    share: Fraction = 0.12
    weight: float = Field(0.2, ge=0)
    likelihood_weight: float = Field(1.0, ge=0)
    learning_rate: PositiveFloat = 5e-4
    head_start_steps: NonNegativeInt = 30
    trace_decay: float = Field(0.9, ge=0, le=1)


class SequenceParams(Params):
    """The sequence family.

    Attributes:
        generator: Shape of the generator.
        discriminator: Shape of its opponent.
        adversarial: The adversarial stage, after a warm start by likelihood.
    """

    generator: GeneratorParams = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    adversarial: AdversarialParams = AdversarialParams()
