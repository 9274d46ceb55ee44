"""Typed parameters of the adversarial stage that the latent and the graph family share."""

from pydantic import Field, PositiveFloat, PositiveInt

from medpipe.core.params import Params


class DirectParams(Params):
    """Generator against discriminator, after the warm start by likelihood.

    Attributes:
        steps: Optimizer steps of the two together.
        batch_size: Molecules a step.
        learning_rate: Of the generator.
        discriminator_learning_rate: Of the discriminator.
        average_decay: Decay a step of the moving average of the generator's weights, which is what is kept.
    """

    steps: PositiveInt = 4000
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 2e-4
    discriminator_learning_rate: PositiveFloat = 4e-4
    average_decay: float = Field(0.99, ge=0, lt=1)
