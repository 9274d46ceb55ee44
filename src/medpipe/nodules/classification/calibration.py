"""From a network's logit to a probability that can be believed, and the threshold from which it is an alarm."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

DEFAULT_THRESHOLD = 0.5
"""Where the validation findings are all of one class."""


@dataclass(frozen=True)
class Calibration:
    """Probability = 1 / (1 + exp(-(slope logit + intercept))).

    Attributes:
        slope: Above 0, so that the order of the findings stays.
        intercept: Moves the odds.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, logits: npt.ArrayLike) -> FloatArray:
        """Of the positive class."""
        from scipy.special import expit

        return np.asarray(expit(self.slope * np.asarray(logits, dtype=np.float64) + self.intercept))


def prior_calibration(n_positive: int, n_negative: int) -> Calibration:
    """Undoes that both classes were drawn equally often in training: the odds become those of the data."""
    return Calibration(intercept=float(np.log(n_positive / n_negative)))


def fit_calibration(logits: FloatArray, targets: FloatArray) -> Calibration | None:
    """Platt's scaling with his smoothed targets, which stays finite where the classes are perfectly apart.

    Source: Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers (1999).

    Args:
        logits: n.
        targets: n, 0 or 1.

    Returns:
        None where there is one class only, or positives have no higher logits than negatives.
    """
    from sklearn.linear_model import LogisticRegression

    n_positive = int(targets.sum())
    n_negative = len(targets) - n_positive
    if not n_positive or not n_negative:
        return None
    smooth = np.where(targets == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    # Logistic regression takes classes, not shares: each finding enters once as either, weighted by its share
    model = LogisticRegression(C=np.inf).fit(
        np.tile(logits, 2)[:, None], np.repeat([1, 0], len(logits)), np.concatenate([smooth, 1 - smooth])
    )
    slope = float(model.coef_[0, 0])
    return Calibration(slope, float(model.intercept_[0])) if slope > 0 else None


def youden_threshold(probabilities: FloatArray, targets: FloatArray) -> float:
    """The threshold of highest sensitivity + specificity (Youden, "Index for rating diagnostic tests", 1950).

    It lies midway between the findings on its two sides, and is `DEFAULT_THRESHOLD` where there is one class only.
    """
    from sklearn.metrics import roc_curve

    if len(np.unique(targets)) < 2:
        return DEFAULT_THRESHOLD
    false, hit, thresholds = roc_curve(targets, probabilities, drop_intermediate=False)
    lowest_alarm = thresholds[int(np.argmax(hit - false))]
    below = probabilities[probabilities < lowest_alarm]
    highest_silent = below.max() if len(below) else lowest_alarm
    return float(min((lowest_alarm + highest_silent) / 2, 1.0))
