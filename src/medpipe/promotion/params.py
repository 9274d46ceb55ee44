"""Parameters of the gate between a trained model and its use."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from medpipe.core.params import Params

Direction = Literal["higher", "lower"]


class HeadlineParams(Params):
    """The metric that a challenger must win by.

    Attributes:
        metric: Its name.
        better: Which direction is better; to be said, for no name tells it.
        min_gain: Gain, in the metric's unit, that the whole interval must exceed.
        floor: What a first champion must reach, since there is nothing to compare it with; None asks for nothing.
    """

    metric: str
    better: Direction
    min_gain: NonNegativeFloat = 0.0
    floor: float | None = None


class GuardParams(Params):
    """A metric that must not get worse.

    Attributes:
        better: Which direction is better; to be said, for no name tells it.
        tolerance: Loss, in the metric's unit, that is borne.
        evidence: What must stay within the tolerance: the ``estimate`` of the loss, or the whole ``interval`` of it,
            as trials of non-inferiority ask.
        optional: A model may be without it, as a detector may have no segmenter: then it is no condition where the
            champion has none. A challenger without what the champion has is refused all the same.
        floor: What a first champion must reach; None asks for nothing.
    """

    better: Direction
    tolerance: NonNegativeFloat = 0.0
    evidence: Literal["estimate", "interval"] = "estimate"
    optional: bool = False
    floor: float | None = None


class GateParams(Params):
    """When a challenger replaces the champion.

    Attributes:
        headline: What it must win by.
        guards: Name of a metric to the condition on it.
        confidence: Of the intervals.
        n_bootstraps: Sets of units drawn with replacement, at least 100.
        seed: Of the draws.
        min_units: Independent units (patients with nodules, molecules) that the test must have; with fewer nothing is
            decided.
    """

    headline: HeadlineParams
    guards: dict[str, GuardParams] = Field(default_factory=dict)
    confidence: float = Field(0.95, gt=0, lt=1)
    n_bootstraps: int = Field(2000, ge=100)
    seed: int = Field(0, ge=0)
    min_units: int = Field(10, ge=2)
