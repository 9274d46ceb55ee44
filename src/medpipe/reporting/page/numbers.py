"""Numbers as a page shows them."""

from collections.abc import Callable, Mapping

import numpy as np

_WHOLE = 1e-9


def number(value: float) -> str:
    """Three decimals, one from ten on, whole numbers from two on whole; a dash for what is missing."""
    if not np.isfinite(value):
        return "–"
    if abs(value - round(value)) < _WHOLE and abs(value) >= 2:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def interval(metrics: Mapping[str, float], name: str, shown: Callable[[float], str] = number) -> str:
    """The interval of a metric, from ``name_low`` to ``name_high``; "" where it has none."""
    bounds = [metrics.get(f"{name}_{end}", np.nan) for end in ("low", "high")]
    return " to ".join(map(shown, bounds)) if np.isfinite(bounds).all() else ""
