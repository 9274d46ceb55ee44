"""Typed parameters of the sequence family."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from medpipe.core.params import Fraction, Params


class GeneratorParams(Params):
    """Autoregressive generator G(z).

    Attributes:
        kind: ``gru``: recurrent, the best there is for minutes on a CPU; ``transformer``: causal, for a GPU.
        noise_size: Length of z, standard normal.
        embedding_size: Length of a token's vector; input and output share it.
        hidden_size: Units of each layer.
        n_layers: Layers.
        n_heads: Attention heads of ``transformer``; each has an even number of the units.
        dropout: Share of the values dropped in training: of what a token brings in, and of what each branch of
            ``transformer`` adds. Worth it where every molecule is seen many times.
    """

    kind: Literal["gru", "transformer"] = "gru"
    noise_size: PositiveInt = 32
    embedding_size: PositiveInt = 192
    hidden_size: PositiveInt = 256
    n_layers: PositiveInt = 1
    n_heads: PositiveInt = 8
    dropout: Fraction = 0.0


class DiscriminatorParams(Params):
    """Discriminator.

    Attributes:
        kind: What it reads. ``rnn`` (GRU), ``cnn`` (convolutions and the running maximum of what they found) and
            ``transformer`` (causal) read tokens with a part of the generator's sizes and judge every prefix; where the
            generator reads in the same way, they start from what that has learnt. ``fingerprint`` reads the atom
            environments of the finished molecule and judges it as a whole.
        hidden_size: Units between what it read and its verdict.
        dropout: Share of its input values dropped in training.
    """

    kind: Literal["rnn", "cnn", "transformer", "fingerprint"] = "fingerprint"
    hidden_size: PositiveInt = 128
    dropout: Fraction = 0.1


class AdversarialParams(Params):
    """The adversarial stage.

    Attributes:
        share: Share of the generator's steps that it takes, at the end; 0 trains by likelihood alone.
        weight: Weight of the policy gradient beside the likelihood loss that anchors it.
        likelihood_weight: Weight of that anchor.
        learning_rate: Of the discriminator.
        head_start_steps: Discriminator steps before the generator listens to it.
        trace_decay: Decay of future rewards a token (0: each token by its own reward, 1: by all that follow, which a
            critic of whole molecules needs).
    """

    share: Fraction = 0.1
    weight: float = Field(1.0, ge=0)
    likelihood_weight: float = Field(1.0, ge=0)
    learning_rate: PositiveFloat = 1e-3
    head_start_steps: NonNegativeInt = 30
    trace_decay: float = Field(1.0, ge=0, le=1)


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

    @model_validator(mode="after")
    def _heads_share_the_units(self) -> "SequenceParams":
        size, n_heads = self.generator.hidden_size, self.generator.n_heads
        if "transformer" in (self.generator.kind, self.discriminator.kind) and size % (2 * n_heads):
            raise ValueError(f"generator.hidden_size {size} must be a multiple of twice generator.n_heads {n_heads}")
        return self
