"""``draw from both -> score both -> decide``."""

from kedro.pipeline import Node, Pipeline

from medpipe.pipelines.molecules_promotion import nodes
from medpipe.pipelines.promotion.pipeline import ROLES, decision_nodes


def create_pipeline(**_: object) -> Pipeline:
    """Whether the newest generator takes the place of the champion."""
    scoring = [node for role in ROLES for node in _score(f"molecules_{role}", role)]
    return Pipeline([*scoring, *decision_nodes("molecules", nodes.decide)])


def _score(contestant: str, role: str) -> list[Node]:
    return [
        Node(
            nodes.draw,
            [contestant, "params:sample"],
            f"{contestant}_drawn",
            name=f"draw_from_{role}",
            tags="gpu",
        ),
        Node(
            nodes.score,
            [
                f"{contestant}_drawn",
                "smiles",
                "smiles_raw",
                "params:score_novelty",
                "params:molecules_gate",
                "score_novelty_work",
            ],
            f"{contestant}_scores",
            name=f"score_molecules_of_{role}",
            tags="gpu",
        ),
    ]
