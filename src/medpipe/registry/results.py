"""Flat metrics as tables that people read: headlines, subgroups, intervals."""

from collections.abc import Mapping, Sequence

_ENDS = ("_low", "_high")
_NO_PART = ("low", "high", "floor", "of_test", "fold_sd")
_OPERATING_POINT = "at_"
"""What follows the name of a measure without being a part of the test data."""


def interval(metrics: Mapping[str, float], name: str) -> str:
    """The 95 % interval of a metric, such as "0.51 to 0.67"; "" where it has none."""
    bounds = [metrics.get(f"{name}{end}") for end in _ENDS]
    return "" if any(bound is None for bound in bounds) else " to ".join(number(bound) for bound in bounds)


def number(value: float | None) -> str:
    """Four significant digits, whole numbers in full; a dash for what is not defined."""
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 10 else f"{value:.4g}"


def with_interval(metrics: Mapping[str, float], name: str) -> str:
    """A metric with its interval, such as "0.59 (0.51 to 0.67)"."""
    bounds = interval(metrics, name)
    return f"{number(metrics[name])} ({bounds})" if bounds else number(metrics[name])


def measures(metrics: Mapping[str, float]) -> list[str]:
    """Names of the metrics, without those that are ends of another's interval."""
    return [
        name for name in metrics if not any(name.endswith(end) and name.removesuffix(end) in metrics for end in _ENDS)
    ]


def subgroups(metrics: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """Metrics of parts of the test data, which are named ``<measure>_<part>``.

    A part counts as one if a measure with an interval was taken on it; so ``n_valid`` is no part of ``n``.

    Returns:
        Part -> measure -> value with interval.
    """
    found: dict[str, dict[str, str]] = {}
    names = measures(metrics)
    for name in names:
        measure = max((other for other in names if name.startswith(f"{other}_")), key=len, default=None)
        part = name.removeprefix(f"{measure}_")
        if measure is not None and part not in _NO_PART and not part.startswith(_OPERATING_POINT):
            found.setdefault(part, {})[measure] = with_interval(metrics, name)
    return {part: values for part, values in found.items() if any(interval(metrics, name) for name in values)}


def overall(metrics: Mapping[str, float], first: Sequence[str] = ()) -> list[str]:
    """Names of the metrics of all test data, those of ``first`` at the beginning."""
    parts = subgroups(metrics)
    of_parts = {f"{measure}_{part}" for part, values in parts.items() for measure in values}
    rest = [name for name in measures(metrics) if name not in of_parts and name not in first]
    return [name for name in first if name in metrics] + rest
