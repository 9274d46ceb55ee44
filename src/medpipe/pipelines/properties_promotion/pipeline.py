"""``freeze_test -> score both -> decide``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.promotion.pipeline import ROLES, decision_nodes
from medpipe.pipelines.properties_promotion import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Whether the newest property model takes the place of the champion."""
    return Pipeline(
        [
            Node(
                nodes.freeze_test,
                ["property_table", "properties_champion", "properties_challenger"],
                "properties_promotion_test",
                name="freeze_test_molecules",
            ),
            *(
                Node(
                    nodes.score,
                    [
                        f"properties_{role}",
                        "properties_promotion_test",
                        "params:properties_gate",
                        "params:evaluate_properties",
                    ],
                    f"properties_{role}_scores",
                    name=f"score_properties_{role}",
                )
                for role in ROLES
            ),
            *decision_nodes("properties", nodes.decide),
        ]
    )
