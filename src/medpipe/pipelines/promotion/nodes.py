"""Nodes that every promotion gate has."""

from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medpipe.promotion.params import GateParams
from medpipe.promotion.scores import Scores
from medpipe.registry.dataset import Contestant

Decided = tuple[dict[str, Any], pd.DataFrame, dict[str, float]]
"""The decision, the comparison metric by metric, and the differences as numbers."""


VERSION = "version"
"""Where the version stands, in ``attrs`` of what it made: by the time that is measured, the contest may be another."""


def scores_table(scores: Scores, version: str | None) -> pd.DataFrame:
    """Scores as the catalog keeps them, with the version that they are of."""
    return replace(scores, version=version).table()


def decide(
    champion: Contestant,
    challenger: Contestant,
    champion_scores: pd.DataFrame,
    challenger_scores: pd.DataFrame,
    params: GateParams,
) -> Decided:
    """Decides by the rule, and promotes or refuses the challenger in the registry."""
    from medpipe.promotion.gate import decide

    decision = decide(
        Scores.of_table(champion_scores) if champion.version is not None else None,
        Scores.of_table(challenger_scores) if challenger.version is not None else None,
        params,
        champion_version=champion.number,
        challenger_version=challenger.number,
    )
    settled = challenger.contest.settle(decision)
    return settled.record(), settled.table(), settled.metrics()


def draw_decision(decision: dict[str, Any], comparison: pd.DataFrame) -> Figure:
    """The difference of each metric with its interval, and what guards bear."""
    from medpipe.reporting.promotion import decision_figure

    return decision_figure(decision, comparison)
