"""The end of every promotion gate."""

from collections.abc import Callable

from kedro.pipeline import Node

from medpipe.pipelines.promotion import nodes

ROLES = ("champion", "challenger")


def decision_nodes(models: str, decide: Callable[..., nodes.Decided]) -> list[Node]:
    """Decision and figure.

    Args:
        models: What is promoted; names of datasets and parameters begin with it.
        decide: `nodes.decide` with the parameters of this gate.
    """
    contestants = [f"{models}_{role}" for role in ROLES]
    return [
        Node(
            decide,
            [*contestants, *(f"{name}_scores" for name in contestants), f"params:{models}_gate"],
            [f"{models}_decision", f"{models}_promotion_comparison", f"{models}_promotion_metrics"],
            name=f"decide_{models}",
        ),
        Node(
            nodes.draw_decision,
            [f"{models}_decision", f"{models}_promotion_comparison"],
            f"{models}_promotion_figure",
            name=f"draw_{models}_decision",
        ),
    ]
