"""The nodes of ``properties_promotion``: each calls the library."""

import pandas as pd

from medpipe.molecules.properties.contest_params import PropertyGateParams
from medpipe.molecules.properties.params import EvaluatePropertiesParams
from medpipe.pipelines.promotion import nodes
from medpipe.promotion.scores import Scores
from medpipe.registry.dataset import Contestant
from medpipe.training.checkpoint import Checkpoint


def freeze_test(table: pd.DataFrame, champion: Contestant, challenger: Contestant) -> pd.DataFrame:
    """The molecules of test, and which of the two was trained on any of them."""
    from medpipe.molecules.properties.contest import molecules_of_test

    found = {"champion": _checkpoint(champion), "challenger": _checkpoint(challenger)}
    return molecules_of_test(table, {role: model for role, model in found.items() if model is not None})


def score(
    contestant: Contestant, test: pd.DataFrame, params: PropertyGateParams, evaluation: EvaluatePropertiesParams
) -> pd.DataFrame:
    """One of the two on the test molecules, and on sets drawn of them."""
    from medpipe.molecules.properties.contest import score_properties

    return nodes.scores_table(score_properties(_checkpoint(contestant), test, params, evaluation), contestant.number)


def decide(
    champion: Contestant,
    challenger: Contestant,
    champion_scores: pd.DataFrame,
    challenger_scores: pd.DataFrame,
    params: PropertyGateParams,
) -> nodes.Decided:
    """Decides by the rule, and promotes or refuses the challenger in the registry."""
    rules = params.rules(Scores.of_table(challenger_scores))
    return nodes.decide(champion, challenger, champion_scores, challenger_scores, rules)


def _checkpoint(contestant: Contestant) -> Checkpoint | None:
    from medpipe.molecules.properties.model import KIND
    from medpipe.serving.properties import CHECKPOINT

    return None if contestant.version is None else Checkpoint.load(contestant.file(CHECKPOINT), KIND)
