"""A generator beside its control: each measure of both, and their difference with its interval."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpipe.promotion.differences import independent_interval

_BETTER = {
    "valid": "higher",
    "unique_at_": "higher",
    "novelty": "higher",
    "Filters": "higher",
    "IntDiv": "higher",
    "FCD_score": "higher",
    "KL_score": "higher",
    "FCD_": "lower",
    "SNN_": "higher",
    "Frag_": "higher",
    "Scaf_": "higher",
    "logP": "lower",
    "SA": "lower",
    "QED": "lower",
    "weight": "lower",
}
"""Beginning of a measure's name to the direction that is better; the first that fits counts."""
_NOT_COMPARED = ("_low", "_high", "_floor", "_of_test")
COLUMNS = {
    "metric": "str",
    "better": "str",
    "generator": "float64",
    "generator_low": "float64",
    "generator_high": "float64",
    "control": "float64",
    "control_low": "float64",
    "control_high": "float64",
    "difference": "float64",
    "difference_low": "float64",
    "difference_high": "float64",
    "verdict": "str",
}


def compare(generator: Mapping[str, float], control: Mapping[str, float]) -> pd.DataFrame:
    """Measures of a generator beside those of its control.

    The interval of a difference comes from those of the two (the method of variance estimates recovery: Zou and Donner,
    Statistics in Medicine 2008, equation 4), which takes the samples as independent. It bounds what the draw of the
    molecules makes uncertain, not what another training would give.

    Args:
        generator: Metrics of `medpipe.molecules.metrics.score`, with ``name_low`` and ``name_high``.
        control: The same of the control.

    Returns:
        One row a measure that both have, columns as ``COLUMNS``. ``better`` is "higher" or "lower"; bounds are NaN
        where a measure has no interval; ``verdict`` is "better", "worse" or "unclear" (0 lies in the interval of the
        difference), and "" without an interval.
    """
    rows = [_row(name, better, generator, control) for name in generator if (better := _direction(name, control))]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _direction(name: str, control: Mapping[str, float]) -> str:
    if name not in control or name.endswith(_NOT_COMPARED):
        return ""
    return next((better for start, better in _BETTER.items() if name.startswith(start)), "")


def _row(name: str, better: str, generator: Mapping[str, float], control: Mapping[str, float]) -> dict[str, object]:
    bounds = ("", "_low", "_high")
    ours, ours_low, ours_high = (generator.get(f"{name}{bound}", np.nan) for bound in bounds)
    theirs, theirs_low, theirs_high = (control.get(f"{name}{bound}", np.nan) for bound in bounds)
    difference = ours - theirs
    low, high = independent_interval(ours, (ours_low, ours_high), theirs, (theirs_low, theirs_high))
    values = (ours, ours_low, ours_high, theirs, theirs_low, theirs_high, difference, low, high)
    return dict(zip(COLUMNS, (name, better, *values, _verdict(better, low, high)), strict=True))


def _verdict(better: str, low: float, high: float) -> str:
    if np.isnan(low) or np.isnan(high):
        return ""
    if low <= 0 <= high:
        return "unclear"
    return "better" if (low > 0) == (better == "higher") else "worse"
