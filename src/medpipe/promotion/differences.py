"""How far two models differ in a metric, with the interval of the difference."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medpipe.promotion.params import Direction
from medpipe.promotion.scores import Scores

FloatArray = npt.NDArray[np.float64]
Interval = tuple[float, float]
_NOT_KNOWN = (np.nan, np.nan)


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion.

    Attributes:
        metric: Its name.
        better: Which direction is better.
        champion: The champion's value.
        challenger: The challenger's.
        low: Lower limit of the difference; not a number where there is no interval.
        high: Upper limit.
    """

    metric: str
    better: Direction
    champion: float
    challenger: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The difference."""
        return self.challenger - self.champion

    @property
    def gain(self) -> float:
        """The difference in the direction that is better."""
        return self._sign * self.value

    @property
    def gain_interval(self) -> Interval:
        """Limits of the gain."""
        low, high = sorted((self._sign * self.low, self._sign * self.high))
        return low, high

    @property
    def _sign(self) -> float:
        return 1.0 if self.better == "higher" else -1.0


def difference(
    metric: str, better: Direction, champion: Scores, challenger: Scores, confidence: float
) -> Difference | None:
    """The difference in a metric; None where either has no such metric, or it is not a number.

    Args:
        metric: Its name.
        better: Which direction is better.
        champion: Its scores.
        challenger: Its scores, on the same test set.
        confidence: Of an interval from drawn sets; ready-made intervals bring their own.
    """
    values = champion.values.get(metric, np.nan), challenger.values.get(metric, np.nan)
    if not np.isfinite(values).all():
        return None
    limits = _NOT_KNOWN
    first, second = champion.drawn.get(metric), challenger.drawn.get(metric)
    if first is not None and second is not None:
        same_sets = len(first) == len(second)
        limits = paired_interval(first, second, confidence, champion.n_units) if same_sets else _NOT_KNOWN
    elif metric in champion.intervals and metric in challenger.intervals:
        ours, theirs = champion.intervals[metric], challenger.intervals[metric]
        limits = independent_interval(values[1], theirs, values[0], ours)
    return Difference(metric, better, *values, *limits)


def paired_interval(first: FloatArray, second: FloatArray, confidence: float, n_units: int) -> Interval:
    """Percentile interval of ``second - first`` over the same drawn sets of units.

    The paired bootstrap: what makes a set easy or hard does so for both models and cancels (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, chapters 8 and 13). Percentiles of few units are too narrow; their tails are
    taken as far out as Student's t is beyond the normal (Hesterberg, "What teachers should know about the bootstrap",
    The American Statistician 69, 2015: the expanded percentile interval).

    Args:
        first: Values of one model, (sets,).
        second: Values of the other in the same sets, (sets,).
        confidence: Of the interval.
        n_units: Units in the test set.

    Returns:
        Limits; not numbers where no set defines both or there are fewer than two units.
    """
    differences = second - first
    differences = differences[np.isfinite(differences)]
    if not len(differences) or n_units < 2:
        return _NOT_KNOWN
    tail = expanded_tail(confidence, n_units)
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def expanded_tail(confidence: float, n_units: int) -> float:
    """Share of the drawn sets below the interval, and above it: less than half of ``1 - confidence``."""
    from scipy.stats import norm, t

    reach = np.sqrt(n_units / (n_units - 1)) * t.ppf((1 + confidence) / 2, n_units - 1)
    return float(norm.sf(reach))


def independent_interval(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Interval of ``first - second`` from the intervals of two numbers that were measured on samples of their own.

    The method of variance estimates recovery (Zou and Donner, Statistics in Medicine 2008, equation 4).

    Args:
        first: A number.
        of_first: Its limits.
        second: Another number.
        of_second: Its limits.
    """
    value = first - second
    low = value - np.hypot(first - of_first[0], of_second[1] - second)
    high = value + np.hypot(of_first[1] - first, second - of_second[0])
    return float(low), float(high)
