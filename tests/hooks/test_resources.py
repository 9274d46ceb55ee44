"""What the hook makes of a run: measures of each node, also of those that fail; MLflow is in test_mlflow_hook."""

import time

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from medpipe.core.progress import track
from medpipe.hooks import MLflowHook, ResourceHook


def count(n):
    """One long step in a short one's company."""
    list(track(range(3), "short"))
    for _ in track(range(20), "long"):
        time.sleep(0.01)
    return n


def fail(n):
    raise ValueError(n)


def run(hook, *functions):
    names = [f"d{i}" for i in range(len(functions) + 1)]
    catalog = DataCatalog({name: MemoryDataset() for name in names})
    catalog.save("d0", 1)
    nodes = [Node(function, names[i], names[i + 1], name=f"n{i}") for i, function in enumerate(functions)]
    pipeline = Pipeline(nodes)
    manager = _create_hook_manager()
    manager.register(hook)
    manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
    SequentialRunner().run(pipeline, catalog, manager)


@pytest.fixture
def hook():
    return ResourceHook(MLflowHook())


def test_each_node_is_measured(hook):
    run(hook, count, abs)
    assert set(hook.usages) == {"n0", "n1"}
    assert hook.usages["n0"].peak_memory_gib > 0.01


def test_throughput_is_that_of_the_longest_step(hook):
    run(hook, count, abs)
    rate = hook.usages["n0"].items_per_s
    assert rate is not None
    assert 0 < rate <= 100  # of the long step; the short one does thousands a second
    assert hook.usages["n1"].items_per_s is None


def test_a_node_that_fails_is_measured(hook):
    with pytest.raises(ValueError, match="1"):
        run(hook, abs, fail)
    assert set(hook.usages) == {"n0", "n1"}


def test_a_new_run_forgets_the_one_before(hook):
    run(hook, abs, abs)
    run(hook, abs)
    assert set(hook.usages) == {"n0"}
