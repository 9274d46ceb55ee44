"""Groups of a pipeline's nodes that can run in processes of their own, one after the other or side by side."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Group:
    """Nodes that run in one process.

    Attributes:
        name: The namespace or node that it is made of, or several joined by ``_and_``.
        nodes: Names, in an order in which they can run.
        after: Names of the groups that must be done before.
    """

    name: str
    nodes: tuple[str, ...]
    after: tuple[str, ...]


def group_nodes(pipeline: Any, catalog: Any) -> list[Group]:
    """Nodes of a namespace together, others alone, in an order in which the groups can run.

    Groups that hand over a dataset in memory, or that wait for each other, are made one.

    Args:
        pipeline: Kedro's.
        catalog: Says which datasets outlive a process.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from medpipe.datasets.fingerprint import persisted

    parts = pipeline.group_nodes_by("namespace")
    of_node = {node: index for index, part in enumerate(parts) for node in part.nodes}
    edges = set()
    for child, parents in pipeline.node_dependencies.items():
        for parent in parents:
            edges.add((of_node[parent.name], of_node[child.name]))
            handed_over = set(parent.outputs) & set(child.inputs)
            if not all(persisted(catalog.get(name, fallback_to_runtime_pattern=True)) for name in handed_over):
                edges.add((of_node[child.name], of_node[parent.name]))
    ends = np.array(sorted(edges), dtype=np.int64).reshape(-1, 2).T
    matrix = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(len(parts), len(parts)))
    labels = connected_components(matrix, connection="strong")[1].tolist()
    members = [
        [part for part, label in zip(parts, labels, strict=True) if label == one] for one in dict.fromkeys(labels)
    ]
    names = dict(
        zip(dict.fromkeys(labels), ("_and_".join(part.name for part in group) for group in members), strict=True)
    )
    numbers = {node.name: number for number, node in enumerate(pipeline.nodes)}
    groups = [
        Group(
            name=names[label],
            nodes=tuple(sorted((node for part in group for node in part.nodes), key=lambda node: numbers[node])),
            after=tuple(sorted({names[labels[a]] for a, b in edges if labels[b] == label and labels[a] != label})),
        )
        for label, group in zip(names, members, strict=True)
    ]
    return _in_order(groups)


def _in_order(groups: list[Group]) -> list[Group]:
    from graphlib import TopologicalSorter

    by_name = {group.name: group for group in groups}
    return [by_name[name] for name in TopologicalSorter({g.name: g.after for g in groups}).static_order()]
