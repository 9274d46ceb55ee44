"""A Ray cluster of two nodes on this machine, for tests where Ray is installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def two_nodes(num_cpus: int = 1) -> Iterator[Any]:
    """A connected cluster: one node has a GPU that only counts, the other none; workers see the tests' modules.

    Args:
        num_cpus: Of each node.
    """
    ray = pytest.importorskip("ray", reason="the optional extra medpipe[ray] is not installed")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": num_cpus, "num_gpus": 1})
    cluster.add_node(num_cpus=num_cpus, num_gpus=0)
    folder = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    try:
        ray.init(
            cluster.address,
            log_to_driver=False,
            configure_logging=False,
            runtime_env={"env_vars": {"PYTHONPATH": folder}},
        )
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
