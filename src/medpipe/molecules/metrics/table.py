"""The table of metrics under way: values, each with its interval."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from medpipe.molecules.metrics.bootstrap import Interval, fraction_interval, jackknife_interval, mean_interval
from medpipe.molecules.metrics.params import ScoreParams


class Table:
    """Names to numbers, with ``name_low`` and ``name_high`` where resamples are asked for.

    Args:
        params: How to score.

    Attributes:
        metrics: What was added so far; a measure that does not exist (None) is absent.
    """

    def __init__(self, params: ScoreParams) -> None:
        self.params = params
        self.metrics: dict[str, float] = {}

    def add(
        self, name: str, value: float | None, interval: Callable[[np.random.Generator], Interval] | None = None
    ) -> None:
        """Adds a value if it exists, and its interval from a stream of random numbers of its own."""
        if value is None:
            return
        self.metrics[name] = float(value)
        if interval is not None and self.params.bootstrap_replicates:
            seed = [self.params.seed, *name.encode()]
            self.metrics[f"{name}_low"], self.metrics[f"{name}_high"] = interval(np.random.default_rng(seed))

    def add_fraction(self, name: str, hits: int, n: int) -> None:
        """Adds ``hits / n`` with its binomial interval."""
        self.add(name, hits / n, lambda _: fraction_interval(hits, n))

    def add_mean(
        self,
        name: str,
        value: float,
        values: npt.NDArray[np.float64],
        counts: npt.NDArray[np.int64],
        spread: float = 1.0,
    ) -> None:
        """Adds a mean over molecules with its interval around ``value``."""
        replicates = self.params.bootstrap_replicates
        self.add(name, value, lambda rng: mean_interval(values, counts, replicates, rng, spread))

    def add_smooth(
        self,
        name: str,
        value: float | None,
        without: Callable[[], npt.NDArray[np.float64]],
        lowest: float = 0.0,
        highest: float = np.inf,
    ) -> None:
        """Adds a value with its interval by what the measure is without each part of the molecules.

        Args:
            name: Of the measure.
            value: Of all molecules.
            without: Gives the measure without each part, (parts,); called only where intervals are asked for.
            lowest: Least possible value.
            highest: Largest possible value.
        """
        if value is None or not self.params.bootstrap_replicates:
            self.add(name, value)
            return
        replicates = without()
        known = len(replicates) > 1 and bool(np.isfinite(replicates).all())
        self.add(name, value, (lambda _: jackknife_interval(value, replicates, lowest, highest)) if known else None)
