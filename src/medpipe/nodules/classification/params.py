"""Parameters of the classification of cubes: what is told apart, training, use, evaluation."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from medpipe.core.params import Params
from medpipe.nodules.params import AugmentParams, CubeNetworkParams, CubeParams
from medpipe.training.params import OptimizerParams, TrainerParams


class TargetParams(Params):
    """Two classes by one column of ``ct_nodules``: by limits of a number, or by words.

    LIDC's ratings (1 to 5) are the mean over the readers of a nodule. The usual rule for malignancy is
    ``positive_min`` 4 and ``negative_max`` 2: nodules rated about 3 are in neither class. Limits that meet, such as
    3.5 and 3.49, leave none out.

    Attributes:
        column: Of ``ct_nodules``.
        positive: Words of the positive class.
        negative: Words of the negative class; none given means every other word.
        positive_min: Numbers from this one on are positive.
        negative_max: Numbers up to this one are negative.
    """

    column: str
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    positive_min: float | None = None
    negative_max: float | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> "TargetParams":
        limits = (self.positive_min, self.negative_max)
        if bool(self.positive) == any(limit is not None for limit in limits) or (self.negative and not self.positive):
            raise ValueError(
                f"target.column {self.column}: give either `positive` words (and `negative` ones), or "
                f"`positive_min` and `negative_max`; got {self.positive}, {self.negative}, {limits}"
            )
        low, high = self.negative_max, self.positive_min
        if not self.positive and (low is None or high is None or low >= high):
            raise ValueError(f"target.negative_max must lie below target.positive_min, got {low} and {high}")
        return self

    @property
    def by_words(self) -> bool:
        """Whether the column holds words, not numbers."""
        return bool(self.positive)

    @property
    def rule(self) -> str:
        """The rule in words, for reports."""
        if not self.by_words:
            return (
                f"{self.column} >= {self.positive_min:g} against <= {self.negative_max:g} (ratings are the mean over "
                "the readers; what lies between is in neither class)"
            )
        rest = f"{', '.join(self.negative)} (others are in neither class)" if self.negative else "all others"
        return f"{self.column}: {', '.join(self.positive)} against {rest}"


class ClassifyParams(Params):
    """How a trained classifier is used.

    Attributes:
        batch_size: Cubes at a time.
        mirror_average: Average the logits of a cube's eight mirror images: eight times the time.
        accelerator: ``auto`` takes the GPU where there is one.
    """

    batch_size: PositiveInt = 32
    mirror_average: bool = True
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


class TrainClassifierParams(Params):
    """Training of the classifier.

    Attributes:
        target: What is told apart.
        network: Which one, and its shape.
        cubes: What it sees.
        augment: Changes made to it.
        trainer: Steps, seed, device.
        optimizer: Learning rate, its schedule, and the moving average of the weights.
        classification: Use on the validation findings at the end.
        validate_every_n_steps: Distance of the points of the validation loss.
        val_batches: Validation batches a point.
    """

    target: TargetParams = TargetParams(column="texture", positive=("solid",))
    network: CubeNetworkParams = CubeNetworkParams()
    cubes: CubeParams = CubeParams(edge=24, jitter_voxels=2)
    augment: AugmentParams = AugmentParams()
    trainer: TrainerParams = TrainerParams(max_steps=200)
    optimizer: OptimizerParams = OptimizerParams(learning_rate=2e-3)
    classification: ClassifyParams = ClassifyParams()
    validate_every_n_steps: PositiveInt = 100
    val_batches: PositiveInt = 4


class EvaluateClassificationParams(Params):
    """Evaluation of class probabilities.

    Attributes:
        n_bootstraps: Sets of patients drawn for the intervals.
        confidence: Of the intervals.
        n_bins: Of the probability, for the calibration error and the reliability plot.
        seed: Of the draws.
    """

    n_bootstraps: PositiveInt = 1000
    confidence: float = Field(0.95, gt=0, lt=1)
    n_bins: PositiveInt = 10
    seed: int = Field(0, ge=0)
