"""A node on a worker of a Ray cluster."""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.runner.task import Task


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
        Name of the host, and the outputs in memory, if there are any.
    """
    os.chdir(work.project)
    if work.package is not None:
        Task._bootstrap_subprocess(work.package, dict(work.logging))
    logging.getLogger(__name__).info("%s on %s", work.node.name, socket.gethostname())
    for name, value in zip(work.values, values, strict=True):
        work.catalog.save(name, value)
    try:
        Task(work.node, work.catalog, work.is_async, _NullPluginManager()).execute()
    except Exception as error:
        error.add_note(f"Node {work.node.name} failed on {socket.gethostname()}, process {os.getpid()}.")
        raise
    kept = [work.catalog[name].load() for name in work.kept]
    return (socket.gethostname(), *kept) if kept else socket.gethostname()
