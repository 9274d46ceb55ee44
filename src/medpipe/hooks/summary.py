"""One table at the end of a run: what ran, how long, how much memory, and the headline numbers."""

import sys
from typing import Any

from kedro.framework.hooks import hook_impl

from medpipe.hooks.resources import ResourceHook
from medpipe.training.processes import rank


class RunSummaryHook:
    """Prints which nodes ran or were skipped and the metrics that the catalog calls headlines.

    Args:
        resources: Measures the nodes.
    """

    def __init__(self, resources: ResourceHook) -> None:
        self._resources = resources

    @hook_impl
    def after_pipeline_run(self, pipeline: Any, catalog: Any) -> None:
        """Prints the tables, once where several processes train together: the first one knows what became of it."""
        if rank() > 0:
            return
        from rich.console import Console

        console = Console(file=sys.stderr)
        console.print(self._nodes_table(pipeline))
        if (headlines := _headlines(pipeline, catalog)) is not None:
            console.print(headlines)

    def _nodes_table(self, pipeline: Any) -> Any:
        from rich.table import Table

        table = Table("node", "did", title="What ran", title_justify="left")
        for name in ("seconds", "CPU s", "peak GiB", "items/s"):
            table.add_column(name, justify="right")
        for node in pipeline.nodes:
            if (usage := self._resources.usages.get(node.name)) is not None:
                rate = "" if usage.items_per_s is None else _number(usage.items_per_s)
                numbers = (f"{usage.wall_s:.1f}", f"{usage.cpu_s:.1f}", f"{usage.peak_memory_gib:.2f}", rate)
                table.add_row(node.name, "ran", *numbers)
            else:
                table.add_row(node.name, "unchanged", style="dim")
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
