"""What one model scores on the test set, with all that a comparison with another needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
COLUMNS = {"metric": "str", "set": "int64", "value": "float64", "low": "float64", "high": "float64"}
_ABOUT = ("test", "unit", "n_units", "problem", "version")


@dataclass(frozen=True)
class Scores:
    """Of one model.

    Attributes:
        test: Fingerprint of the test set.
        unit: What is independent of each other in it, in the plural, such as "patients".
        n_units: How many of them there are.
        values: Metric to its value; one that is not defined is absent or not a number.
        drawn: Metric to its value in each drawn set of units, (sets,), not a number where a set does not define it.
            The sets are the same for all models, so that differences are those of pairs.
        intervals: Metric to its limits, where models were measured on samples of their own, which have no pairs.
        problem: Why the model could not be scored, a sentence; the rest is then empty.
        version: Of the model, where it is known.
    """

    test: str
    unit: str
    n_units: int
    values: Mapping[str, float] = field(default_factory=dict)
    drawn: Mapping[str, FloatArray] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    problem: str = ""
    version: str | None = None

    @classmethod
    def of_sets(cls, test: str, unit: str, n_units: int, metrics: Mapping[str, FloatArray]) -> "Scores":
        """Scores from metrics that were taken of all units and of each drawn set.

        Args:
            test: Fingerprint of the test set.
            unit: What is drawn.
            n_units: How many there are.
            metrics: Metric to its values, (1 + sets,): of all units first.
        """
        values = {name: float(found[0]) for name, found in metrics.items()}
        return cls(test, unit, n_units, values, {name: np.asarray(found[1:]) for name, found in metrics.items()})

    def table(self) -> pd.DataFrame:
        """As a table that Parquet keeps: set 0 has the value (and limits), the others those of the drawn sets."""
        parts = [pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)]
        for name, value in self.values.items():
            low, high = self.intervals.get(name, (np.nan, np.nan))
            first = pd.DataFrame({"metric": [name], "set": [0], "value": [value], "low": [low], "high": [high]})
            drawn = self.drawn.get(name, np.zeros(0))
            others = pd.DataFrame({"metric": name, "set": np.arange(1, len(drawn) + 1), "value": drawn})
            parts += [first.astype(COLUMNS), others.reindex(columns=list(COLUMNS)).astype(COLUMNS)]
        table = pd.concat(parts, ignore_index=True)
        table.attrs = {name: getattr(self, name) for name in _ABOUT}
        return table

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> "Scores":
        """From what `table` made."""
        about: dict[Any, Any] = table.attrs
        values, drawn, intervals = {}, {}, {}
        for name, rows in table.sort_values(["metric", "set"]).groupby("metric"):
            first, others = rows.iloc[0], rows["value"].to_numpy(np.float64)[1:]
            values[str(name)] = float(first["value"])
            if len(others):
                drawn[str(name)] = others
            if np.isfinite([first["low"], first["high"]]).all():
                intervals[str(name)] = (float(first["low"]), float(first["high"]))
        return cls(values=values, drawn=drawn, intervals=intervals, **{name: about[name] for name in _ABOUT})
