"""The nodes of ``molecules_promotion``: each calls the library."""

from pathlib import Path

import pandas as pd

from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.metrics.contest import GeneratorGateParams
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.pipelines.promotion import nodes
from medpipe.registry.dataset import Contestant


def draw(contestant: Contestant, params: SampleParams) -> pd.DataFrame:
    """Draws molecules from one of the two, both with the same seed; nothing is filtered."""
    from medpipe.core.errors import InputError
    from medpipe.molecules.generation.sample import sample
    from medpipe.molecules.metrics.contest import nothing_drawn
    from medpipe.serving.generator import CHECKPOINT
    from medpipe.training.checkpoint import Checkpoint

    if contestant.version is None:
        drawn = nothing_drawn("There is no such generator.")
    else:
        try:
            drawn = sample(Checkpoint.load(contestant.file(CHECKPOINT), "smiles_generator"), params)
        except InputError as error:  # such as a family that this version no longer knows
            drawn = nothing_drawn(str(error))
    drawn.attrs[nodes.VERSION] = contestant.number
    return drawn


def score(
    drawn: pd.DataFrame,
    smiles: pd.DataFrame,
    raw: Path,
    params: ScoreParams,
    gate: GeneratorGateParams,
    work: Path,
) -> pd.DataFrame:
    """What one of the two drew, against the molecules of test."""
    from medpipe.molecules.metrics.contest import score_generator

    return nodes.scores_table(score_generator(drawn, smiles, raw, params, gate, work), drawn.attrs[nodes.VERSION])


def decide(
    champion: Contestant,
    challenger: Contestant,
    champion_scores: pd.DataFrame,
    challenger_scores: pd.DataFrame,
    params: GeneratorGateParams,
) -> nodes.Decided:
    """Decides by the rule, and promotes or refuses the challenger in the registry."""
    return nodes.decide(champion, challenger, champion_scores, challenger_scores, params)
