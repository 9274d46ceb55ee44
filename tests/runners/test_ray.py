"""Nodes on a Ray cluster of two hosts, which here are two raylets on one machine."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.core.usage import Usage
from medpipe.datasets import MetricsDataset, TableDataset
from medpipe.hooks import MLflowHook, ResourceHook
from medpipe.runners import IncrementalRunner, RayRunner
from tests.runners.clusters import two_nodes
from tests.runners.test_incremental import Project, Recorder


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    with two_nodes() as cluster:
        yield cluster


def run(folder: Path, *nodes: Node, runner: type = RayRunner, **values: Any) -> tuple[dict[str, Any], list[str]]:
    """Outputs in memory, and the nodes that ran; a table and metrics are saved."""
    catalog = DataCatalog(
        {
            "table": TableDataset(filepath=str(folder / "table.parquet")),
            "metrics": MetricsDataset(filepath=str(folder / "metrics.json")),
            "folder": MemoryDataset(str(folder)),
            **{name: MemoryDataset(value) for name, value in values.items()},
        }
    )
    hooks = Recorder()
    found = runner(state_folder=str(folder / "state")).run(Pipeline(list(nodes)), catalog, hooks)
    return {name: dataset.load() for name, dataset in found.items()}, hooks.ran


def process_id(*_: Any) -> int:
    return os.getpid()


def test_nodes_run_elsewhere_and_are_remembered_by_both_runners(tmp_path):
    project = Project(tmp_path)
    assert project.run(runner=RayRunner) == ["first", "second"]
    assert project.run(runner=RayRunner) == []
    assert project.run(runner=IncrementalRunner) == []
    project.params["params:digits"] = 1
    assert project.run(runner=RayRunner) == ["second"]


def test_a_node_runs_in_another_process(tmp_path):
    found, _ = run(tmp_path, Node(process_id, "folder", "pid", name="where"))
    assert found["pid"] != os.getpid()


def test_what_is_kept_in_memory_reaches_the_next_node(tmp_path):
    def make(folder: str) -> pd.DataFrame:
        return pd.DataFrame({"value": [1.0, 3.0]})

    def mean(table: pd.DataFrame) -> float:
        return float(table["value"].mean())

    found, ran = run(tmp_path, Node(make, "folder", "between", name="make"), Node(mean, "between", "mean", name="mean"))
    assert found == {"mean": 2.0}
    assert ran == ["make", "mean"]


def wait_for_the_other(folder: str, own: str, other: str) -> str:
    (Path(folder) / own).touch()
    for _ in range(600):
        if (Path(folder) / other).exists():
            return own
        time.sleep(0.05)
    raise TimeoutError(other)


def test_independent_nodes_run_side_by_side(tmp_path):
    names = {"a": "a", "b": "b"}
    found, _ = run(
        tmp_path,
        Node(wait_for_the_other, ["folder", "a", "b"], "one", name="one"),
        Node(wait_for_the_other, ["folder", "b", "a"], "two", name="two"),
        **names,
    )
    assert found == {"one": "a", "two": "b"}


def refuse(folder: str) -> dict[str, float]:
    raise InputError("scan 7: spacing is 0 mm")


def slow(folder: str) -> pd.DataFrame:
    time.sleep(2)
    return pd.DataFrame({"value": [1.0]})


def test_a_failure_names_node_and_host_and_others_come_to_their_end(tmp_path, caplog):
    nodes = (Node(slow, "folder", "table", name="slow"), Node(refuse, "folder", "metrics", name="refuse"))
    with caplog.at_level(logging.ERROR), pytest.raises(InputError, match="spacing is 0 mm") as caught:
        run(tmp_path, *nodes)
    assert "Node refuse failed on " in caught.value.__notes__[0]
    assert any("Node refuse failed on" in message and "spacing is 0 mm" in message for message in caplog.messages)
    assert (tmp_path / "table.parquet").exists()
    assert run(tmp_path, nodes[0])[1] == []


def killed_once(folder: str) -> int:
    mark = Path(folder) / "killed"
    if mark.exists():
        return 1
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_node_whose_worker_died_is_run_again(tmp_path):
    assert run(tmp_path, Node(killed_once, "folder", "lived", name="killed"))[0] == {"lived": 1}


def gpus(folder: str) -> list[str]:
    import ray

    return ray.get_runtime_context().get_accelerator_ids()["GPU"]


def test_nodes_with_the_tag_get_a_gpu_and_others_none(tmp_path):
    found, _ = run(
        tmp_path,
        Node(gpus, "folder", "some", name="with", tags="gpu"),
        Node(gpus, "folder", "none", name="without"),
    )
    assert found == {"some": ["0"], "none": []}


@pytest.mark.parametrize(("name", "value"), [("num_cpus", 2), ("num_gpus", 3)])
def test_more_than_any_host_has_is_refused(tmp_path, name: str, value: float):
    with pytest.raises(InputError, match=f"ray.{name} is {value}, but no host .* more than 1"):
        run(tmp_path, Node(process_id, "folder", "pid", name="where"), **{"params:ray": {name: value}})


def spread(folder: str, own: str) -> list[int]:
    found = list(parallel(square, range(8), description=None, n_jobs=2))
    assert any(process != os.getpid() for process, _ in found)
    return [value for _, value in found]


def square(value: int) -> tuple[int, int]:
    time.sleep(0.05)
    return os.getpid(), value**2


def test_nodes_that_fill_the_cluster_can_spread_their_work_over_it(tmp_path):
    """Both CPUs are held by the nodes that wait for it."""
    nodes = (
        Node(spread, ["folder", "a"], "one", name="one"),
        Node(spread, ["folder", "a"], "two", name="two"),
    )
    found, _ = run(tmp_path, *nodes, a="a")
    assert found == {"one": [n * n for n in range(8)], "two": [n * n for n in range(8)]}


def test_hooks_get_what_was_saved(tmp_path):
    seen: dict[str, Any] = {}

    class Watch(Recorder):
        def __call__(self, **arguments: Any) -> None:
            super().__call__(**arguments)
            if "data" in arguments:
                seen[arguments["dataset_name"]] = dict(arguments["data"].items())

    catalog = DataCatalog({"metrics": MetricsDataset(filepath=str(tmp_path / "metrics.json")), "a": MemoryDataset(2)})
    pipeline = Pipeline([Node(lambda a: {"twice": 2.0 * a}, "a", "metrics", name="double")])
    RayRunner(state_folder=str(tmp_path / "state")).run(pipeline, catalog, Watch())
    assert seen == {"metrics": {"twice": 4.0}}


def burn(seconds: float) -> float:
    """Of the processor, not by the clock."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


def work(folder: str) -> int:
    held = bytearray(b"x") * (1 << 28)
    list(track(map(burn, [0.1] * 5), "burning"))
    return len(held)


def burn_elsewhere(folder: str) -> float:
    return sum(parallel(burn, [0.1] * 8, description=None, n_jobs=2))


def work_and_fail(folder: str) -> None:
    burn(0.3)
    raise InputError("no")


def measured(folder: Path, *nodes: Node) -> dict[str, Usage]:
    """What the hook of this process knows after a run."""
    catalog = DataCatalog({"folder": MemoryDataset(str(folder))})
    pipeline, manager, hook = Pipeline(list(nodes)), _create_hook_manager(), ResourceHook(MLflowHook())
    manager.register(hook)
    manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
    with suppress(InputError):
        RayRunner(state_folder=str(folder / "state")).run(pipeline, catalog, manager)
    return dict(hook.usages)


def test_what_a_node_takes_is_measured_where_it_runs(tmp_path):
    usage = measured(tmp_path, Node(work, "folder", "done", name="work"))["work"]
    assert usage.cpu_s > 0.4  # this process only waits
    assert usage.wall_s >= usage.cpu_s - 0.1
    assert usage.peak_memory_gib > 0.25
    assert usage.items_per_s is not None
    assert 0 < usage.items_per_s < 10.5


def test_processor_time_of_the_fan_out_counts_for_its_node(tmp_path):
    usage = measured(tmp_path, Node(burn_elsewhere, "folder", "done", name="spread"))["spread"]
    assert usage.cpu_s > 0.7


def test_a_node_that_fails_elsewhere_is_measured(tmp_path):
    assert measured(tmp_path, Node(work_and_fail, "folder", "done", name="fails"))["fails"].cpu_s > 0.2
