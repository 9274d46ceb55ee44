"""Runs whose process was killed: MLflow would show them as running for ever."""

import os
import socket
from datetime import UTC, datetime
from typing import Any

from medpipe.registry.runs import PROCESS_TAG, is_gone


def this_process() -> str:
    """Host and number of this process, as kept in a run's tag."""
    return f"{socket.gethostname()}:{os.getpid()}"


def end_killed_runs(client: Any, experiment_id: str) -> None:
    """Marks runs of this host as KILLED that are still shown as running though their process is gone.

    Args:
        client: MLflow's client.
        experiment_id: Where to look.
    """
    host = socket.gethostname()
    wanted = f"attributes.status = 'RUNNING' and tags.{PROCESS_TAG} LIKE '{host}:%'"
    running = client.search_runs([experiment_id], wanted)
    for run in running:
        if is_gone(run.data.tags[PROCESS_TAG], datetime.fromtimestamp(run.info.start_time / 1000, UTC)):
            client.set_terminated(run.info.run_id, "KILLED")
