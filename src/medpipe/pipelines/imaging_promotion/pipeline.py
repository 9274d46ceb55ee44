"""``freeze_test -> search with both -> measure both -> decide``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.imaging_promotion import nodes
from medpipe.pipelines.promotion.pipeline import ROLES, decision_nodes

TEST = "imaging_promotion_test"


def create_pipeline(**_: object) -> Pipeline:
    """Whether the newest networks take the place of the champion's."""
    return Pipeline(
        [
            Node(
                nodes.freeze_test,
                ["scan_store", "ct_scans", "ct_splits", "imaging_champion", "imaging_challenger"],
                TEST,
                name="freeze_test_scans",
            ),
            *(node for role in ROLES for node in _score(f"imaging_{role}", role)),
            *decision_nodes("imaging", nodes.decide),
        ]
    )


def _score(contestant: str, role: str) -> list[Node]:
    found = [f"{contestant}_{table}" for table in ("candidates", "outlines", "classes")]
    return [
        Node(
            nodes.search,
            [
                contestant,
                "scan_store",
                "ct_nodules",
                TEST,
                "params:detect",
                "params:segment",
                "params:classify",
                f"{role}_masks_work",
            ],
            found,
            name=f"search_with_{role}",
            tags="gpu",
        ),
        Node(
            nodes.measure,
            [*found, "ct_nodules", TEST, "params:imaging_gate", "params:evaluate"],
            f"{contestant}_scores",
            name=f"measure_{role}",
        ),
    ]
