"""The run status of Kedro-Viz: which nodes ran, how long, and where a run failed.

Kedro-Viz 12.5 records it with a hook of its own only for runs by Kedro's ``SequentialRunner``, at their end. This one
records every run that does something, whatever its pipelines, nodes and runner, after each node, in the same format.
"""

import json
import logging
import time
import traceback
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from medpipe.core.atomic import write_text
from medpipe.hooks.messages import public_message

EVENTS_FILE = Path(".viz") / "kedro_pipeline_events.json"
"""In the project; where Kedro-Viz looks."""

NOT_ENDED = "This run has not come to its end: it is still going on, or was killed."
"""Kedro-Viz knows success and failure only; what is not at its end shall not pass for a success."""

_logger = logging.getLogger(__name__)


class RunStatusHook:
    """Writes the events of the run from which Kedro-Viz makes its status page.

    A run in which nothing had to be done leaves the status of the one before. Nodes that were skipped have no event:
    Kedro-Viz shows them as skipped. Called after Kedro-Viz's own hook, it has the last word. Tracebacks hold places in
    the code only, messages no paths: the page may be shared.
    """

    def __init__(self) -> None:
        self._project = Path()
        self._catalog: Any = None
        self._events: list[dict[str, Any]] = []
        self._started: dict[str, float] = {}
        self._at: dict[str, Any] = {}  # node and dataset that are being worked on

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Where the project lies."""
        self._project = Path(context.project_path)

    @hook_impl
    def before_pipeline_run(self, catalog: Any) -> None:
        """Begins anew."""
        from kedro_viz.integrations.kedro.hooks_utils import generate_timestamp

        self._catalog, self._started, self._at = catalog, {}, {}
        self._events = [{"event": "before_pipeline_run", "timestamp": generate_timestamp()}]

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Any) -> None:
        """Remembers what is read, in case that fails."""
        self._at = {"node": node, "dataset": dataset_name, "operation": "loading"}

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str) -> None:
        """Tells that it is there."""
        self._add_dataset("after_dataset_loaded", dataset_name)

    @hook_impl(trylast=True)
    def before_node_run(self, node: Any) -> None:
        """The node's time begins."""
        self._at = {"node": node}
        self._write_so_far()
        self._started[node.name] = time.monotonic()

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Any) -> None:
        """The node is done."""
        seconds = time.monotonic() - self._started[node.name]
        self._add("after_node_run", **_of(node), duration=seconds, status="success")

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Any) -> None:
        """Remembers what is written, in case that fails."""
        self._at = {"node": node, "dataset": dataset_name, "operation": "saving"}

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Tells that it is there, and shows the node as done to those who watch."""
        self._add_dataset("after_dataset_saved", dataset_name)
        self._write_so_far()

    @hook_impl(trylast=True)
    def on_node_error(self, node: Any, error: Exception) -> None:
        """The node failed; where nodes run side by side, another may have begun since."""
        self._at = {"node": node}
        self._add_error("on_node_error", error, **_of(node))

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """The run failed, in a node or in reading or writing its data."""
        at = self._at | (_of(self._at["node"]) if "node" in self._at else {})
        if "dataset" in at:
            self._add_error("on_node_error", error, **at)
        self._add_error("on_pipeline_error", error, **at)
        self._write(self._events)

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """The run is done."""
        from kedro_viz.integrations.kedro.hooks_utils import generate_timestamp

        if self._started:
            self._add("after_pipeline_run", timestamp=generate_timestamp())
            self._write(self._events)

    def _add(self, event: str, **values: Any) -> None:
        self._events.append({"event": event, **values})

    def _add_dataset(self, event: str, name: str) -> None:
        from kedro_viz.integrations.kedro.run_hooks import create_dataset_event

        self._events.append(create_dataset_event(event, name, True, self._catalog))
        self._at.pop("dataset", None)

    def _add_error(self, event: str, error: Exception, **values: Any) -> None:
        from kedro_viz.integrations.kedro.hooks_utils import generate_timestamp

        places = "".join(traceback.format_tb(error.__traceback__))
        values |= {"error": public_message(error), "traceback": places, "timestamp": generate_timestamp()}
        self._add(event, **values)

    def _write_so_far(self) -> None:
        from kedro_viz.integrations.kedro.hooks_utils import generate_timestamp

        end = {"event": "on_pipeline_error", "error": NOT_ENDED, "timestamp": generate_timestamp()}
        self._write([*self._events, end])

    def _write(self, events: list[dict[str, Any]]) -> None:
        """A status that cannot be written stops no run."""
        try:
            write_text(self._project / EVENTS_FILE, json.dumps(events, indent=1))
        except OSError as error:
            _logger.warning("The run status for Kedro-Viz could not be written: %s", error)


def _of(node: Any) -> dict[str, str]:
    from kedro_viz.integrations.kedro.hooks_utils import hash_node

    return {"node": node.name, "node_id": hash_node(node)}
