"""Runs under ``torchrun``: the same command in several processes, of which only the first saves and records.

``torchrun`` starts a training on several hosts by starting the whole command there. All processes load what the node
reads and train together; the network that they learn is the same, so those behind the first let go of it.
"""

import logging
from typing import Any

from medpipe.core.errors import InputError
from medpipe.training.processes import rank, world_size

_logger = logging.getLogger(__name__)


def check_nodes(names: list[str]) -> None:
    """Refuses runs of several nodes, of which the processes would read what another has not yet written.

    Args:
        names: Of the nodes of the run.

    Raises:
        InputError: There are several processes and several nodes.
    """
    if world_size() > 1 and len(names) > 1:
        raise InputError(
            f"torchrun started {world_size()} processes of a run of {len(names)} nodes; only the node that trains can "
            "be run so: add --nodes with one of them (docs/scaling.md)."
        )


def follows() -> bool:
    """Whether this process only takes part in what another one saves."""
    return rank() > 0


def follow(node: Any, catalog: Any) -> None:
    """Runs a node without saving what it gives, and without hooks."""
    _logger.info("%s: process %d of %d takes part, the first one saves", node.name, rank() + 1, world_size())
    node.run({name: catalog.load(name) for name in node.inputs})
