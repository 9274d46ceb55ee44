"""Tables of ``medpipe models``."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from medpipe.registry import results
from medpipe.registry.comparison import Comparison

_HEADLINES = 4  # of a model, in a table of many


def models(rows: Iterable[Mapping[str, Any]]) -> Table:
    """One row a model."""
    table = Table("model", "champion", "since", "its results", "challenger", "versions", title="Registered models")
    for row in rows:
        champion, challenger = row["champion"], row["challenger"]
        table.add_row(
            row["name"],
            _number(champion) or "none yet",
            row["since"] or "",
            _headlines(champion),
            _number(challenger),
            str(row["versions"]),
        )
    return table


def versions(name: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    """One row a version, newest first."""
    table = Table("version", "alias", "registered", "decision", "results", title=name)
    for row in rows:
        tags = row["tags"]
        decision = ": ".join(tags[key] for key in ("decision", "decision.reason") if key in tags)
        aliases = ", ".join(row["aliases"])
        table.add_row(row["version"], aliases, row["created"], escape(decision), _headlines(row))
    return table


def history(reigns: Iterable[Mapping[str, Any]]) -> Table:
    """One row a reign, newest first."""
    table = Table("champion", "from", "to", "how", "why", title="Champions")
    for reign in reigns:
        start, end = reign["start"] or "not known", reign["end"] or "today"
        table.add_row(reign["version"], start, end, reign["kind"] or "", escape(reign["reason"]))
    return table


def version(about: Mapping[str, Any]) -> list[Table]:
    """Origin, results and parameters of one version."""
    origin = Table("", "", title=f"{about['name']}, version {about['version']}", show_header=False)
    for key in ("created", "run_id", "source", "status"):
        origin.add_row(key, about[key])
    origin.add_row("aliases", ", ".join(about["aliases"]))
    metrics = about["metrics"]
    for key, value in sorted(about["tags"].items()):
        if key not in metrics:
            origin.add_row(key, escape(value))
    measured = Table("metric", "value", "95 % interval", title="Results on the test split")
    for name in sorted(results.measures(metrics)):
        measured.add_row(escape(name), results.number(metrics[name]), results.interval(metrics, name))
    return [origin, measured, _pairs("Parameters", ["parameter", "value"], about["params"].items())]


def comparison(found: Comparison) -> list[Table | Panel | Text]:
    """What differs between two versions, and a warning that cannot be overlooked where numbers do not compare."""
    heads = [f"version {found.a}", f"version {found.b}"]
    parts: list[Table | Panel | Text] = []
    if not found.comparable:
        warning = f"NOT COMPARABLE: {found.why}. Which is better cannot be told from these results."
        parts.append(Panel(Text(warning), border_style="bold red", style="bold red"))
    for title, rows in (("Origin", found.origin), ("Parameters", found.params), ("Results", found.metrics)):
        if rows:
            values = ((name, *pair) for name, pair in rows.items())
            parts.append(_pairs(f"{title} that differ", [title.lower(), *heads], values))
    parts.append(Text(f"{found.same} results are equal. Intervals are 95 % bootstrap intervals of each by itself."))
    return parts


def _pairs(title: str, heads: list[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(*heads, title=title)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _number(row: Mapping[str, Any]) -> str:
    return str(row.get("version", ""))


def _headlines(row: Mapping[str, Any]) -> str:
    """The first results among the tags, which are named as metrics are: with a slash."""
    found = [f"{key}: {value}" for key, value in row.get("tags", {}).items() if "/" in key]
    return "\n".join(escape(text) for text in found[:_HEADLINES])
