"""Model cards (Mitchell et al., "Model Cards for Model Reporting", FAT* 2019): one page of Markdown a version.

Everything in a card was recorded by the run or stands in the template of that kind of model; nobody types into it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medpipe.registry import results
from medpipe.registry.cohort import Cohort
from medpipe.registry.version import Version

_PACKAGE = "medpipe.registry"
_MAX_CELL = 160  # characters of a parameter that a reader of a table still reads


@dataclass(frozen=True)
class Measured:
    """Metrics of one catalog entry.

    Attributes:
        title: For example "detection".
        metrics: Name to value, with ``_low`` and ``_high`` for the ends of intervals.
        headlines: Names that come first.
    """

    title: str
    metrics: Mapping[str, float]
    headlines: Sequence[str] = ()

    @property
    def subgroups(self) -> dict[str, dict[str, str]]:
        """Part of the test data -> measure -> value with interval."""
        return results.subgroups(self.metrics)

    @property
    def overall(self) -> list[tuple[str, str, str]]:
        """Measure, value and interval of all test data."""
        names = results.overall(self.metrics, self.headlines)
        return [(name, results.number(self.metrics[name]), results.interval(self.metrics, name)) for name in names]


@dataclass(frozen=True)
class Card:
    """What a card shows.

    Attributes:
        version: The version.
        full_name: Its model's name in MLflow.
        template: Name of the template.
        cohort: Its data in numbers; None where the catalog names no tables.
        measured: Its results.
        params: Typed parameters, flat.
        run_tags: Tags of the run that made it: code, libraries, device.
        inputs: Columns of the signature.
        outputs: Columns of the signature.
    """

    version: Version
    full_name: str
    template: str
    cohort: Cohort | None
    measured: Sequence[Measured]
    params: Mapping[str, str]
    run_tags: Mapping[str, str]
    inputs: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]

    @property
    def data(self) -> dict[str, str]:
        """Table -> fingerprint when the model was registered."""
        start = "data."
        tags = self.version.tags
        return {name.removeprefix(start): value for name, value in sorted(tags.items()) if name.startswith(start)}

    @property
    def libraries(self) -> dict[str, str]:
        """Library -> version that trained it."""
        start = "version."
        return {name.removeprefix(start): tag for name, tag in sorted(self.run_tags.items()) if name.startswith(start)}

    def render(self) -> str:
        """The card as Markdown."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader(_PACKAGE, "cards"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["cell"] = cell
        return environment.get_template(f"{self.template}.md.jinja").render(card=self)


def cell(value: Any) -> str:
    """A text that cannot break out of a cell of a Markdown table."""
    text = " ".join(str(value).split())
    text = text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
