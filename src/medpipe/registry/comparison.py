"""Two versions of a model side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

from medpipe.registry import results
from medpipe.registry.registry import Registry
from medpipe.registry.store import TEST_DATA_TAG
from medpipe.registry.version import Version

_ORIGIN = ("data.", "git.", "env", "pipeline", "split")


@dataclass(frozen=True)
class Comparison:
    """What differs.

    Attributes:
        name: Of the model.
        a: Number of the first version.
        b: Number of the second.
        comparable: Whether both were measured on the same test rows.
        why: What speaks against it; "" if nothing does.
        origin: Tag -> values of both; data, code, environment.
        params: Parameter -> values of both.
        metrics: Metric -> values of both with their intervals.
        same: Number of metrics that are equal.
    """

    name: str
    a: str
    b: str
    comparable: bool
    why: str
    origin: Mapping[str, tuple[str, str]]
    params: Mapping[str, tuple[str, str]]
    metrics: Mapping[str, tuple[str, str]]
    same: int


def compare_versions(registry: Registry, a: Version, b: Version) -> Comparison:
    """What differs between two versions; the gate, not this, says which is better."""
    why = _why_not(a, b)
    metrics = [registry.metrics(version) for version in (a, b)]
    names = sorted({*results.measures(metrics[0]), *results.measures(metrics[1])})
    differing = [name for name in names if metrics[0].get(name) != metrics[1].get(name)]
    return Comparison(
        name=a.name,
        a=a.version,
        b=b.version,
        comparable=not why,
        why=why,
        origin=_differing(*[_origin(version) for version in (a, b)]),
        params=_differing(registry.params(a), registry.params(b)),
        metrics={name: (_shown(metrics[0], name), _shown(metrics[1], name)) for name in differing},
        same=len(names) - len(differing),
    )


def _why_not(a: Version, b: Version) -> str:
    ours, theirs = (version.tags.get(TEST_DATA_TAG) for version in (a, b))
    if ours is None or theirs is None:
        missing = " and ".join(version.version for version in (a, b) if TEST_DATA_TAG not in version.tags)
        return f"it is not recorded on which test data version {missing} was measured"
    return "" if ours == theirs else f"they were measured on different test data ({ours[:8]} and {theirs[:8]})"


def _origin(version: Version) -> dict[str, str]:
    return {key: value for key, value in version.tags.items() if key.startswith(_ORIGIN)}


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted({*a, *b})
    return {name: (a.get(name, "–"), b.get(name, "–")) for name in names if a.get(name) != b.get(name)}


def _shown(metrics: Mapping[str, float], name: str) -> str:
    return results.with_interval(metrics, name) if name in metrics else "–"
