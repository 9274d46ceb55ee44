"""Numbers as a page shows them."""

from collections.abc import Callable, Mapping

import numpy as np

_WHOLE = 1e-9


def number(value: float) -> str:
    """As `decimal`, but whole numbers from two on whole: for what may be a count."""
    if np.isfinite(value) and abs(value) >= 2 and abs(value - round(value)) < _WHOLE:
        return f"{value:,.0f}"
    return decimal(value)


def decimal(value: float) -> str:
    """Three decimals, one from ten on; a dash for what is missing."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def interval(metrics: Mapping[str, float], name: str, shown: Callable[[float], str] = decimal) -> str:
    """The interval of a metric, from ``name_low`` to ``name_high``; "" where it has none."""
    bounds = [metrics.get(f"{name}_{end}", np.nan) for end in ("low", "high")]
    return " to ".join(map(shown, bounds)) if np.isfinite(bounds).all() else ""
