"""One table at the end of a run: what ran, how long, how much memory, and the headline numbers."""

import resource
import sys
import time
from typing import Any

from kedro.framework.hooks import hook_impl

KIBIBYTES_A_GIBIBYTE = 1 << 20


class RunSummaryHook:
    """Prints which nodes ran or were skipped and the metrics that the catalog calls headlines."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._peak_gib: dict[str, float] = {}

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forgets an earlier run of the same process."""
        self._started, self._seconds, self._peak_gib = {}, {}, {}

    @hook_impl(trylast=True)
    def before_node_run(self, node: Any) -> None:
        """A node's time begins when its inputs are loaded and the other hooks are done."""
        self._started[node.name] = time.monotonic()

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        """Takes the node's time, and the highest memory so far of this process and its workers."""
        self._seconds[node.name] = time.monotonic() - self._started[node.name]
        peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        self._peak_gib[node.name] = max(peaks) / KIBIBYTES_A_GIBIBYTE

    @hook_impl
    def after_pipeline_run(self, pipeline: Any, catalog: Any) -> None:
        """Prints the tables."""
        from rich.console import Console

        console = Console(file=sys.stderr)
        console.print(self._nodes_table(pipeline))
        if (headlines := _headlines(pipeline, catalog)) is not None:
            console.print(headlines)

    def _nodes_table(self, pipeline: Any) -> Any:
        from rich.table import Table

        table = Table("node", "did", title="What ran", title_justify="left")
        table.add_column("seconds", justify="right")
        table.add_column("peak GiB", justify="right")
        for node in pipeline.nodes:
            if node.name in self._seconds:
                peak = f"{self._peak_gib[node.name]:.2f}"
                table.add_row(node.name, "ran", f"{self._seconds[node.name]:.1f}", peak)
            else:
                table.add_row(node.name, "unchanged", "", "", style="dim")
        return table


def _headlines(pipeline: Any, catalog: Any) -> Any:
    """The metrics that a catalog entry names in ``metadata: headline:``, with their intervals where there are any."""
    from rich.table import Table

    table = Table("metric", title="Results", title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name in sorted(pipeline.all_outputs()):
        wanted = (getattr(catalog[name], "metadata", None) or {}).get("headline", [])
        metrics = catalog.load(name) if wanted and catalog.exists(name) else {}
        for key in wanted:
            if key in metrics:
                bounds = [metrics.get(f"{key}_{side}") for side in ("low", "high")]
                interval = "" if None in bounds else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
                table.add_row(f"{name}: {key}", _number(metrics[key]), interval)
    return table if table.row_count else None


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
