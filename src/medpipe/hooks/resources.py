"""What each node takes, kept in MLflow and told at the end of a run."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kedro.framework.hooks import hook_impl

from medpipe.core.usage import ELSEWHERE, Meter, Point, Usage
from medpipe.hooks.mlflow_hook import MLflowHook

FOLDER = "resources"
"""Metrics are named ``resources/<node>/<what>``."""


class ResourceHook:
    """Measures each node from the moment its inputs are loaded until it returns.

    In MLflow: ``wall_s``, ``cpu_s``, ``peak_memory_gib``, on a GPU ``gpu_peak_memory_gib`` and
    ``gpu_mean_use_percent``; ``items_per_s`` where the node shows progress: of the step that took longest, in what that
    counts (scans, molecules, optimizer steps); the course of long nodes over their seconds.

    Where nodes run side by side in one process, each is given what all of them take. Those that run on workers of Ray
    are measured there.

    Args:
        mlflow: Records.
    """

    def __init__(self, mlflow: MLflowHook) -> None:
        self._mlflow = mlflow
        self._meters: dict[str, Meter] = {}
        self._usages: dict[str, Usage] = {}

    @property
    def usages(self) -> Mapping[str, Usage]:
        """What the nodes of the newest run took that have ended, by their names."""
        return self._usages

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forgets an earlier run of the same process."""
        for meter in self._meters.values():
            meter.stop()
        self._meters, self._usages = {}, {}
        ELSEWHERE.clear()

    @hook_impl(trylast=True)
    def before_node_run(self, node: Any) -> None:
        """A node begins when the other hooks are done."""
        name = node.name
        if name in ELSEWHERE:
            return

        def tell(points: list[Point]) -> None:
            self._record(name, points)

        self._meters[name] = Meter(tell)
        self._meters[name].start()

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Any) -> None:
        """Takes the measures before other hooks do anything."""
        self._end(node.name)

    @hook_impl(tryfirst=True)
    def on_node_error(self, node: Any) -> None:
        """What a node took until it failed; perhaps that is why."""
        self._end(node.name)

    def _end(self, name: str) -> None:
        if name in ELSEWHERE:
            measured = ELSEWHERE.pop(name)
            if measured is None:  # its worker died
                return
            self._record(name, measured.points)
            usage = measured.usage
        else:
            usage = self._meters.pop(name).stop()
        self._usages[name] = usage
        values = asdict(usage)
        values["gpu_mean_use_percent"] = values.pop("gpu_use_percent")  # the plain name is the course's
        self._record(name, [(0, key, value) for key, value in values.items() if value is not None])

    def _record(self, name: str, points: list[Point]) -> None:
        self._mlflow.record((step, f"{FOLDER}/{name}/{key}", value) for step, key, value in points)
