"""A Ray cluster of two nodes on this machine, for tests where Ray is installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A connected cluster: one CPU and a GPU that only counts, and one CPU; workers see the tests' modules."""
    ray = pytest.importorskip("ray", reason="the optional extra medpipe[ray] is not installed")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1})
    cluster.add_node(num_cpus=1, num_gpus=0)
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
