"""The nodes of ``optimise``: each calls the library."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from medpipe.molecules.optimisation.params import OptimiseParams, PropertyModelsParams, StartParams
from medpipe.training.checkpoint import Checkpoint


def provide_property_models(params: PropertyModelsParams, work: Path) -> Path:
    """Where the property models lie that the score asks for."""
    from medpipe.molecules.optimisation.gate import provide_models

    return provide_models(params, work)


def choose_starts(
    checkpoint: Checkpoint, smiles: pd.DataFrame, start: StartParams, params: OptimiseParams, models: Path
) -> pd.DataFrame:
    """The molecules to start from, worst first; a method that the generator cannot do is refused here."""
    from medpipe.molecules.optimisation.optimise import check_method
    from medpipe.molecules.optimisation.scoring import Scorer
    from medpipe.molecules.optimisation.starts import choose_starts

    check_method(checkpoint, params, from_scratch=start.kind == "scratch")
    return choose_starts(start, Scorer(params.scoring, models), smiles)


def optimise(
    checkpoint: Checkpoint, starts: pd.DataFrame, params: OptimiseParams, models: Path, work: Path
) -> tuple[pd.DataFrame, dict[str, float], pd.DataFrame, Checkpoint]:
    """Looks for molecules with a better score, near the starts or from scratch."""
    from medpipe.molecules.optimisation.optimise import optimise

    return optimise(checkpoint, starts, params, work, models)


def draw_optimised(table: pd.DataFrame) -> Figure:
    """Starts beside the best that came of them."""
    from medpipe.reporting.optimisation import optimised_molecules

    return optimised_molecules(table)


def draw_optimisation(history: pd.DataFrame) -> Figure:
    """Score, diversity and what was refused, step by step."""
    from medpipe.reporting.optimisation import optimisation_course

    return optimisation_course(history)
