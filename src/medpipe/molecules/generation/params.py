"""Typed parameters of generators: the family, its training, sampling."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from medpipe.core.params import Params
from medpipe.molecules.generation.graph.params import GraphParams
from medpipe.molecules.generation.latent.params import LatentParams
from medpipe.molecules.generation.sequence.params import SequenceParams
from medpipe.training.params import TrainerParams


class LossParams(Params):
    """What generator and discriminator play for.

    Attributes:
        kind: ``minimax``: cross-entropy, the generator's loss not saturating (Goodfellow et al., 2014, section 3);
            ``least_squares`` (Mao et al., ICCV 2017); ``wasserstein_gp``: with gradient penalty (Gulrajani et al.,
            NeurIPS 2017); ``wasserstein_clip``: with clipped weights (Arjovsky et al., ICML 2017); ``relativistic``:
            paired, with R1 and R2 (Huang et al., NeurIPS 2024).
        gradient_penalty: Weight of the gradient penalty of ``wasserstein_gp``.
        clip: Bound of the discriminator's weights with ``wasserstein_clip``.
        r1: Weight of the squared gradient at real molecules with ``relativistic``.
        r2: The same at generated ones.
    """

    kind: Literal["minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic"] = "minimax"
    gradient_penalty: float = Field(10.0, ge=0)
    clip: PositiveFloat = 0.01
    r1: float = Field(1.0, ge=0)
    r2: float = Field(1.0, ge=0)


class BandParams(Params):
    """Where the discriminator's accuracy is kept.

    Attributes:
        low: Below this accuracy of the discriminator the generator waits for it.
        high: Above it the discriminator waits, so that it never gets so strong that it ruins the generator.
    """

    low: float = Field(0.52, ge=0, le=1)
    high: float = Field(0.75, ge=0, le=1)

    @model_validator(mode="after")
    def _band_is_a_band(self) -> "BandParams":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be below high {self.high}")
        return self


class GanParams(Params):
    """A generator of molecules and how it is trained.

    Attributes:
        family: ``sequence``: a generator of token sequences; ``latent``: an autoencoder and a generator of its latent
            vectors; ``graph``: a generator of small molecular graphs.
        loss: What the two play for.
        accuracy_band: Where the discriminator's accuracy is kept.
        sequence: The sequence family's own.
        latent: The latent family's own.
        graph: The graph family's own.
        batch_size: Molecules a step.
        learning_rate: Highest learning rate of the generator.
        warm_up_steps: Steps in which the learning rate rises; it then falls to 0.
        weight_decay: AdamW's.
        validate_every_n_steps: Steps of the generator between measurements of likelihood and sample validity; 0
            measures at the end of each stage only.
        trainer: Steps of the generator, device, seed.
    """

    family: Literal["sequence", "latent", "graph"] = "sequence"
    loss: LossParams = LossParams()
    accuracy_band: BandParams = BandParams()
    sequence: SequenceParams = SequenceParams()
    latent: LatentParams = LatentParams()
    graph: GraphParams = GraphParams()
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 4e-3
    warm_up_steps: NonNegativeInt = 50
    weight_decay: float = Field(0.01, ge=0)
    validate_every_n_steps: NonNegativeInt = 1000
    trainer: TrainerParams = TrainerParams(max_steps=5000)


class SampleParams(Params):
    """How molecules are drawn from a generator.

    Attributes:
        n: Molecules to draw; all come back, valid or not.
        temperature: Divides the logits; 1 draws from the generator as trained.
        top_p: Draw from the most likely tokens that hold this share of probability; 1 takes all.
        batch_size: Molecules drawn side by side.
        max_tokens: Longest molecule, in tokens; None takes twice the longest of the training set.
        seed: Seed of the draw.
        device: ``auto`` takes the GPU where there is one; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """

    n: PositiveInt = 10_000
    temperature: float = Field(1.0, ge=0.01, le=100)  # beyond it logits overflow, or nothing is left of them
    top_p: float = Field(1.0, gt=0, le=1)
    batch_size: PositiveInt = 1000
    max_tokens: PositiveInt | None = None
    seed: NonNegativeInt = 0
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
