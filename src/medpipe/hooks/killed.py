"""Runs whose process was killed: MLflow would show them as running for ever."""

import os
import socket
from typing import Any

PROCESS_TAG = "process"


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
        if not _alive(int(run.data.tags[PROCESS_TAG].rpartition(":")[2])):
            client.set_terminated(run.info.run_id, "KILLED")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
