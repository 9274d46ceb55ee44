"""Typed parameters of property prediction: the table, the two models, how they are judged."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from medpipe.core.params import Fraction, Params
from medpipe.training.params import OptimizerParams

UNCERTAINTY = "_uncertainty"
"""Ending of the columns of uncertainties."""


class PropertySourceParams(Params):
    """Where molecules with known properties come from.

    Attributes:
        path: CSV, TSV, SMI, Parquet or SDF file, ``.gz`` too; None fetches 1,025 measured solubilities in water once.
    """

    path: str | None = None


class IngestPropertiesParams(Params):
    """How a table becomes molecules with targets and a split.

    Attributes:
        smiles_column: Column that holds SMILES; case does not matter. An SDF file needs none.
        targets: Columns to learn, also as one text with commas between; None takes every column of numbers but split
            and those that count the rows.
        task: What the targets are; ``auto`` takes a column of nothing but 0 and 1 for a class.
        split: Which molecules are kept for val and test: ``hash``, of the molecule alone, so that each keeps its split
            when others are added, as retraining needs; ``random``, of exact shares; ``scaffold`` keeps all molecules of
            a Murcko scaffold together; ``column`` takes what the table says.
        split_column: Column with train, val and test; only with split ``column``.
        val_fraction: Share of the molecules for choosing and calibrating.
        test_fraction: Share of the molecules that only the evaluation sees.
        seed: Of the split.
        n_jobs: Worker processes; -1 is one a core.
    """

    smiles_column: str = "smiles"
    targets: tuple[str, ...] | None = None
    task: Literal["auto", "regression", "classification"] = "auto"
    split: Literal["hash", "random", "scaffold", "column"] = "random"
    split_column: str = "split"
    val_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.1
    seed: NonNegativeInt = 0
    n_jobs: int = -1

    @field_validator("targets", mode="before")
    @classmethod
    def _commas(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _train_is_left(self) -> "IngestPropertiesParams":
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError(f"val_fraction {self.val_fraction} and test_fraction {self.test_fraction} leave no train")
        return self


class MessagePassingParams(Params):
    """A directed message-passing network (Yang et al., JCIM 2019).

    Attributes:
        hidden_size: Width of messages and of the layers behind.
        depth: Bonds that a message has travelled in the end.
        aggregation: How atoms become a molecule: their ``mean``, or their ``sum`` (divided by a constant), which knows
            the size of the molecule.
        n_layers: Layers behind the aggregation, the last one included.
        dropout: Share of the hidden units left out in training.
        descriptors: Whether RDKit's 2D descriptors are put beside what was learnt.
    """

    hidden_size: PositiveInt = 160
    depth: PositiveInt = 3
    aggregation: Literal["mean", "sum"] = "sum"
    n_layers: int = Field(2, ge=1)
    dropout: Fraction = 0.0
    descriptors: bool = True


class BoostingParams(Params):
    """Gradient boosting on counted Morgan fragments and descriptors, a forest a target.

    Attributes:
        learning_rate: Share of each tree that is added.
        max_trees: Most trees; fewer where val no longer improves.
        patience: Trees in a row without improvement on val after which no more are added.
        max_leaves: Leaves a tree.
        min_leaf: Molecules a leaf, at least.
        feature_share: Share of the features that each node may choose from.
        min_molecules: A fragment that fewer molecules of train have is left out.
    """

    learning_rate: PositiveFloat = 0.1
    max_trees: PositiveInt = 200
    patience: PositiveInt = 20
    max_leaves: int = Field(16, ge=2)
    min_leaf: PositiveInt = 8
    feature_share: float = Field(0.4, gt=0, le=1)
    min_molecules: PositiveInt = 5


class TrainPropertiesParams(Params):
    """How a property model is trained.

    Attributes:
        network: The message-passing network.
        boosting: The control.
        n_members: Networks, trained from different seeds; how they differ is part of the uncertainty.
        max_steps: Most optimizer steps of a network; the weights of the best pass over train, by val, are kept.
        patience: Passes in a row without improvement on val after which the training ends.
        batch_size: Molecules a step.
        optimizer: AdamW and its schedule.
        domain_quantile: Molecules at least as near to train as this share of val are inside the domain.
        accelerator: ``auto`` takes the GPU where there is one.
        seed: Of weights and order.
        n_jobs: Worker processes that read molecules; -1 is one a core.
    """

    network: MessagePassingParams = MessagePassingParams()
    boosting: BoostingParams = BoostingParams()
    n_members: PositiveInt = 3
    max_steps: PositiveInt = 800
    patience: PositiveInt = 12
    batch_size: PositiveInt = 64
    optimizer: OptimizerParams = OptimizerParams(learning_rate=1.5e-3, warmup_share=0.05, ema_decay=0.98)
    domain_quantile: float = Field(0.95, gt=0, le=1)
    accelerator: str = "auto"
    seed: NonNegativeInt = 0
    n_jobs: int = -1


class EvaluatePropertiesParams(Params):
    """How a property model is judged on test.

    Attributes:
        n_bootstraps: Sets of molecules drawn with replacement behind each interval; 0 leaves intervals out.
        confidence: Of the intervals.
        n_bins: Bins of the probability, of equal width, for the calibration error.
        seed: Of the drawn sets.
    """

    n_bootstraps: NonNegativeInt = 1000
    confidence: float = Field(0.95, gt=0, lt=1)
    n_bins: PositiveInt = 10
    seed: NonNegativeInt = 0
