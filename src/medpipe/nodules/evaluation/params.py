"""Parameters of evaluation."""

from pydantic import Field, PositiveInt

from medpipe.core.params import Params


class EvaluateParams(Params):
    """Evaluation by the rules of LUNA16.

    Attributes:
        operating_threshold: Probability from which a candidate is an alarm, where the checkpoint's is not given.
        max_marks: Marks a scan that count.
        n_bootstraps: Sets of scans drawn for the intervals.
        confidence: Of the intervals.
        seed: Of the draws.
    """

    operating_threshold: float = Field(0.5, ge=0, le=1)
    max_marks: PositiveInt = 100
    n_bootstraps: PositiveInt = 1000
    confidence: float = Field(0.95, gt=0, lt=1)
    seed: int = Field(0, ge=0)
