"""Parameters of evaluation."""

from typing import Literal

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


class CrossValidationParams(Params):
    """How the scans are divided into folds.

    Attributes:
        folds: ``subsets`` takes LUNA16's, the folders ``subset0`` to ``subset9`` that the scans lie in; ``patients``
            deals the patients out.
        n_folds: Folds of ``patients``: one is tested, one sets the operating threshold, the others train.
        seed: Of the order in which patients are dealt out.
    """

    folds: Literal["subsets", "patients"] = "patients"
    n_folds: int = Field(5, ge=3)
    seed: int = Field(0, ge=0)
