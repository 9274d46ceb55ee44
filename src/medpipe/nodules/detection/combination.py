"""One probability from the detector's and the second look's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_EXAMPLES = 10
"""Candidates of either kind on the validation scans below which the weights are not fitted but equal."""

_LARGEST_LOGIT = 12.0  # a probability of exactly 0 or 1 has no finite logit; exp(-12) is 6e-6

SECOND_LIMIT = 4.0
"""Largest logit of the second look that is believed (p = 0.98). It learns from false alarms only, so it is no less
certain of places unlike any of them: unbounded, it would overrule the detector in scans that are not as the training
scans were. On held-out scans like those the CPM differs by 0.001 at most from this limit up, and loses up to 0.005 at
half of it."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Combination:
    """Logistic regression on the two logits: p = sigmoid(bias + a logit(p_detector) + b logit(p_second)).

    The second logit is bounded by `SECOND_LIMIT`.

    Stacking after Wolpert, "Stacked generalization", Neural Networks 5 (1992): fitted on scans that neither network was
    trained on, since both are surer of themselves on those they have seen. The result is a calibrated probability of
    "this candidate is a nodule".

    Attributes:
        bias: Added to the sum.
        detector_weight: a, not negative.
        second_weight: b, not negative.
    """

    bias: float = 0.0
    detector_weight: float = 0.5
    second_weight: float = 0.5

    def __call__(self, detector: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
        """Combined probabilities of candidates, n, from the two networks' probabilities, n each."""
        total = self.bias + self.detector_weight * logit(detector) + self.second_weight * logit(second, SECOND_LIMIT)
        return np.asarray(1.0 / (1.0 + np.exp(-total)))

    def to_list(self) -> list[float]:
        """Bias and weights, for a checkpoint."""
        return [self.bias, self.detector_weight, self.second_weight]

    @classmethod
    def from_list(cls, values: Sequence[float]) -> "Combination":
        """The inverse of `to_list`."""
        bias, detector_weight, second_weight = values
        return cls(float(bias), float(detector_weight), float(second_weight))


def fit_combination(detector: npt.ArrayLike, second: npt.ArrayLike, is_nodule: npt.ArrayLike) -> Combination:
    """Fits the weights on candidates whose truth is known.

    A weight that would be negative (a network that tells nothing) is 0, and the other one is fitted alone. With fewer
    than `MIN_EXAMPLES` nodules or false alarms the mean of the logits is taken.

    Args:
        detector: n probabilities of the detector.
        second: n probabilities of the second look.
        is_nodule: n, whether the candidate hits a nodule.
    """
    from sklearn.linear_model import LogisticRegression

    truth = np.asarray(is_nodule, dtype=bool)
    if min(truth.sum(), (~truth).sum()) < MIN_EXAMPLES:
        return Combination()
    logits = np.stack([logit(detector), logit(second, SECOND_LIMIT)], axis=1)
    used = [0, 1]
    model = LogisticRegression().fit(logits, truth)
    if (model.coef_[0] < 0).any():
        used = [int(np.argmax(model.coef_[0]))]
        model = LogisticRegression().fit(logits[:, used], truth)
    weights = np.zeros(2)
    weights[used] = np.maximum(model.coef_[0], 0.0)
    return Combination(float(model.intercept_[0]), float(weights[0]), float(weights[1]))


def logit(probability: npt.ArrayLike, limit: float = _LARGEST_LOGIT) -> FloatArray:
    """log(p / (1 - p)), at most ``limit`` from 0."""
    values = np.asarray(probability, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(values) - np.log1p(-values), -limit, limit)
