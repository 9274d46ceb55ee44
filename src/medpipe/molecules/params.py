"""Typed parameters of the road from SMILES to samples."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from medpipe.core.params import Params
from medpipe.training.params import TrainerParams

Fraction = Annotated[float, Field(ge=0, lt=1)]
MOSES_ELEMENTS = ("C", "N", "S", "O", "F", "Cl", "Br", "H")
"""Elements that MOSES allows (Polykovskiy et al., Frontiers in Pharmacology 2020, section 2.1)."""


class SmilesSourceParams(Params):
    """Where molecules come from.

    Attributes:
        kind: ``moses`` fetches the MOSES benchmark set once; ``file`` takes a file of the user's.
        path: CSV, TSV, SMI or Parquet file, ``.gz`` too; only with kind ``file``.
    """

    kind: Literal["moses", "file"] = "moses"
    path: str | None = None

    @model_validator(mode="after")
    def _path_goes_with_file(self) -> "SmilesSourceParams":
        if (self.kind == "file") != (self.path is not None):
            raise ValueError(
                f"path must be given with kind 'file' and only then; got {self.kind!r}, path {self.path!r}"
            )
        return self


class IngestSmilesParams(Params):
    """How raw lines become clean molecules with a split.

    Attributes:
        column: Column that holds SMILES; case does not matter. An SMI file needs none.
        split: Test share of a user's file: by ``random`` molecule or whole Murcko ``scaffold``. MOSES brings its own.
        test_fraction: Share of a user's file that is kept for the test.
        val_fraction: Share of train held out for validation; never from the test.
        max_train: Most lines of train (val is taken from them), drawn with ``seed``; None takes all.
        max_test: Most lines of test, drawn with ``seed``; None takes all.
        max_length: Longest canonical SMILES, in characters.
        allowed_elements: Element symbols; a molecule with another one is rejected.
        stereo: Whether stereo marks are kept or removed.
        allow_fragments: Whether salts and mixtures (with a dot) are taken.
        seed: Seed of subsets and splits.
        n_jobs: Worker processes; -1 is one a core.
    """

    column: str = "smiles"
    split: Literal["random", "scaffold"] = "random"
    test_fraction: Fraction = 0.1
    val_fraction: Fraction = 0.05
    max_train: PositiveInt | None = None
    max_test: PositiveInt | None = None
    max_length: PositiveInt = 100
    allowed_elements: tuple[str, ...] = Field(MOSES_ELEMENTS, min_length=1)
    stereo: Literal["keep", "remove"] = "keep"
    allow_fragments: bool = False
    seed: NonNegativeInt = 0
    n_jobs: int = -1

    @field_validator("allowed_elements")
    @classmethod
    def _elements_exist(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        from rdkit.Chem import GetPeriodicTable

        table = GetPeriodicTable()
        known = {table.GetElementSymbol(number) for number in range(1, 119)}
        if unknown := [symbol for symbol in symbols if symbol not in known]:
            raise ValueError(f"{', '.join(unknown)}: no such element; write symbols such as C, Cl, Se")
        return symbols


class EncodeParams(Params):
    """How SMILES become token ids.

    Attributes:
        n_merges: Byte-pair merges learnt on train; 0 leaves chemical tokens as they are.
        merge_sample: Molecules of train (the first ones) that the merges are learnt from.
    """

    n_merges: NonNegativeInt = 300
    merge_sample: PositiveInt = 30_000


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
        loss: ``non_saturating``: the generator raises log D(x) (Goodfellow et al., 2014, section 3).
        weight: Weight of the policy gradient beside the likelihood loss that anchors it.
        likelihood_weight: Weight of that anchor.
        learning_rate: Of the discriminator.
        head_start_steps: Discriminator steps before the generator listens to it.
        trace_decay: Decay of future rewards a token (0: each token by its own reward, 1: by all that follow).
        accuracy_low: Below this accuracy of the discriminator the generator waits for it.
        accuracy_high: Above it the discriminator waits, so that it never gets so strong that it ruins the generator.
    """

    share: Fraction = 0.12
    loss: Literal["non_saturating"] = "non_saturating"
    weight: float = Field(0.2, ge=0)
    likelihood_weight: float = Field(1.0, ge=0)
    learning_rate: PositiveFloat = 5e-4
    head_start_steps: NonNegativeInt = 30
    trace_decay: float = Field(0.9, ge=0, le=1)
    accuracy_low: float = Field(0.52, ge=0, le=1)
    accuracy_high: float = Field(0.75, ge=0, le=1)

    @model_validator(mode="after")
    def _band_is_a_band(self) -> "AdversarialParams":
        if self.accuracy_low >= self.accuracy_high:
            raise ValueError(f"accuracy_low {self.accuracy_low} must be below accuracy_high {self.accuracy_high}")
        return self


class GanParams(Params):
    """A generator of molecules and how it is trained.

    Attributes:
        family: ``sequence``: a recurrent generator of token sequences.
        generator: Its shape.
        discriminator: Shape of its opponent.
        adversarial: The adversarial stage, after a warm start by likelihood.
        batch_size: Molecules a step.
        learning_rate: Highest learning rate of the generator.
        warm_up_steps: Steps in which the learning rate rises; it then falls as a cosine.
        weight_decay: AdamW's.
        validate_every_n_steps: Optimizer steps between measurements of likelihood and sample validity; 0 measures
            at the end of each stage only.
        trainer: Steps, device, seed.
    """

    family: Literal["sequence"] = "sequence"
    generator: GeneratorParams = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    adversarial: AdversarialParams = AdversarialParams()
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
        device: ``auto`` takes the GPU where there is one.
    """

    n: PositiveInt = 10_000
    temperature: PositiveFloat = 1.0
    top_p: float = Field(1.0, gt=0, le=1)
    batch_size: PositiveInt = 1000
    max_tokens: PositiveInt | None = None
    seed: NonNegativeInt = 0
    device: str = "auto"
