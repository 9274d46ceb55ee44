"""Both pipelines on a Ray cluster of two nodes: the same numbers as one after the other, in one MLflow run each."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runners.clusters import two_nodes
from tests.scratch import Run, kedro, make_project

pytestmark = pytest.mark.slow
CORES = os.cpu_count() or 1  # as many threads as without Ray: their number shows in the last digits


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_nodes(num_cpus=CORES) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch project of its own; the cluster's GPU only counts, so trainings on it take the CPU."""
    return make_project(tmp_path_factory.mktemp("ray") / "project")


@pytest.mark.parametrize("pipeline", ["imaging", "molecules"])
def test_a_cluster_gives_the_numbers_of_one_process(
    cluster, on_ray: Path, pipeline: str, request: pytest.FixtureRequest
):
    sequential: Run = request.getfixturevalue(pipeline)
    options = ("--env=test", "--runner=medpipe.runners.RayRunner", f"--params=ray.num_cpus={CORES}")
    done = kedro(on_ray, "run", f"--pipeline={pipeline}", *options, covered=False, RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stdout
    folder = on_ray / "data" / "test" / "08_reporting"
    found = {file.name: json.loads(file.read_text()) for file in folder.glob("*_metrics.json")}
    assert found
    assert {name: sequential.metrics[name] for name in found} == found
    assert len(re.findall("Recorded in MLflow as run", done.stdout)) == 1
