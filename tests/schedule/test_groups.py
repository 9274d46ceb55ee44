from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from medpipe.datasets import MetricsDataset
from medpipe.schedule.groups import Group, group_nodes


def pass_on(*values: Any) -> Any:
    return values[0]


def node(name: str, inputs: str, output: str, namespace: str | None = None) -> Node:
    return Node(pass_on, inputs.split(), output, name=name, namespace=namespace)


def groups(*nodes: Node, in_memory: str = "") -> list[Group]:
    names = {name for each in nodes for name in [*each.inputs, *each.outputs]}
    saved = {name: MetricsDataset(filepath=f"{name}.json") for name in names - set(in_memory.split())}
    kept = {name: MemoryDataset() for name in in_memory.split()}
    return group_nodes(Pipeline(list(nodes)), DataCatalog({**saved, **kept}))


def test_a_namespace_is_one_group_and_other_nodes_stand_alone():
    found = groups(
        node("read", "raw", "table"),
        node("train", "table", "model", "net"),
        node("score", "model table", "scores", "net"),
        node("report", "scores", "page"),
    )
    assert found == [
        Group("read", ("read",), ()),
        Group("net", ("net.train", "net.score"), ("read",)),
        Group("report", ("report",), ("net",)),
    ]


def test_no_dataset_in_memory_leaves_its_process():
    found = groups(node("a", "x", "y"), node("b", "y", "z"), node("c", "z", "end"), in_memory="y")
    assert found == [Group("a_and_b", ("a", "b"), ()), Group("c", ("c",), ("a_and_b",))]


@pytest.mark.filterwarnings("ignore:Namespace .* is interrupted")
def test_groups_that_wait_for_each_other_become_one():
    found = groups(
        node("first", "x", "y", "net"),
        node("between", "y", "z"),
        node("last", "z", "end", "net"),
        node("far", "x", "w"),
    )
    assert Group("net_and_between", ("net.first", "between", "net.last"), ()) in found
    assert len(found) == 2
