"""The Ray cluster: that of ``RAY_ADDRESS``, or one of this machine alone.

Workers read the same paths as this process, so data must lie on a file system that all hosts share, and this package
must be installed on each.
"""

import os
from collections.abc import Sequence
from typing import Any

from medpipe.core.errors import InputError

_NO_TELEMETRY = ("RAY_USAGE_STATS_ENABLED", "0")


def start_ray(show_output: bool = False) -> None:
    """Connects to the cluster, unless that is done; within a task of Ray it is.

    Args:
        show_output: Whether what workers write is shown here.

    Raises:
        InputError: Ray is not installed, or the cluster does not answer.
    """
    os.environ.setdefault(*_NO_TELEMETRY)
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed; pip install 'medpipe[ray]', or choose 'loky'") from error
    if ray.is_initialized():
        return
    try:
        ray.init(log_to_driver=show_output, configure_logging=False)
    except ConnectionError as error:
        raise InputError(
            f"RAY_ADDRESS is {os.environ.get('RAY_ADDRESS')!r}, where no Ray cluster answers; start one there, set "
            "RAY_AUTH_MODE=token if it asks for a token (docs/scaling.md), or unset it for a cluster of this machine."
        ) from error


def cluster_total(resource: str) -> float:
    """How much of ``CPU`` or ``GPU`` all hosts of the connected cluster have together."""
    import ray

    return float(ray.cluster_resources().get(resource, 0))


def largest_host(resource: str) -> float:
    """How much of ``CPU`` or ``GPU`` the host with the most has: no task can be given more."""
    import ray

    return max((float(host["Resources"].get(resource, 0)) for host in ray.nodes() if host["Alive"]), default=0.0)


def fetch(reference: Any) -> Any:
    """The value behind a reference; an error of the task is raised as what it was there."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


def cancel(references: Sequence[Any]) -> None:
    """Ends tasks and what they have started; those that are done already are left as they are."""
    import ray

    for reference in references:
        ray.cancel(reference, recursive=True)
