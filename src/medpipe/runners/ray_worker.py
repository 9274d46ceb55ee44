"""A node on a worker of a Ray cluster."""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.runner.task import Task

from medpipe.core.usage import Measured, Meter, Point

MEASURED = "medpipe_measured"
"""Attribute of a node's error: what it took until then."""


@dataclass(frozen=True)
class Done:
    """What a worker tells of a node.

    Attributes:
        host: Where it ran.
        measured: What it took.
    """

    host: str
    measured: Measured | None


@dataclass(frozen=True)
class Work:
    """What a worker is told of a node.

    Attributes:
        node: The node.
        catalog: Its datasets; those in memory are empty.
        values: Names of the datasets in memory whose values come along.
        kept: Names of the outputs in memory, which are sent back.
        is_async: Load and save with threads.
        project: The project's folder, by a path that all hosts share.
        package: The project's package; None outside a project.
        logging: Kedro's configuration of the log.
    """

    node: Any
    catalog: Any
    values: tuple[str, ...]
    kept: tuple[str, ...]
    is_async: bool
    project: str
    package: str | None
    logging: Mapping[str, Any]


def run_node(work: Work, *values: Any) -> Any:
    """Loads what the node reads, runs it and saves what it gives, as Kedro does in one process; hooks stay at home.

    Args:
        work: Of the node.
        *values: Of ``work.values``.

    Returns:
        Where it ran and what it took (`Done`), and the outputs in memory, if there are any.
    """
    os.chdir(work.project)
    if work.package is not None:
        Task._bootstrap_subprocess(work.package, dict(work.logging))
    logging.getLogger(__name__).info("%s on %s", work.node.name, socket.gethostname())
    for name, value in zip(work.values, values, strict=True):
        work.catalog.save(name, value)
    gauge, hooks = _Gauge(), _create_hook_manager()
    hooks.register(gauge)
    try:
        Task(work.node, work.catalog, work.is_async, hooks).execute()
    except Exception as error:
        error.add_note(f"Node {work.node.name} failed on {socket.gethostname()}, process {os.getpid()}.")
        vars(error)[MEASURED] = gauge.measured  # goes home with the error, as the note does
        raise
    done = Done(socket.gethostname(), gauge.measured)
    kept = [work.catalog[name].load() for name in work.kept]
    return (done, *kept) if kept else done


class _Gauge:
    """Measures a node as in one process: from the moment its inputs are loaded until it returns."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._meter = Meter(self._points.extend)
        self.measured: Measured | None = None

    @hook_impl
    def before_node_run(self) -> None:
        self._meter.start()

    @hook_impl
    def after_node_run(self) -> None:
        self.measured = Measured(self._meter.stop(), self._points)

    @hook_impl
    def on_node_error(self) -> None:
        self.after_node_run()
