"""A sample scored against the test molecules of the set that its generator was trained on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import load_references
from medpipe.molecules.metrics.score import Score, score


def score_against_test(
    generated: Sequence[str], smiles: pd.DataFrame, raw: Path, params: ScoreParams, kept: Path
) -> tuple[Score, pd.DataFrame]:
    """Scores a sample against MOSES's test sets where the raw folder holds them, otherwise against the test split.

    Args:
        generated: Strings as they came out.
        smiles: Columns smiles (canonical) and split; novelty is against all that is not test, which the generator or
            its selection has seen.
        raw: Where the raw molecules lie.
        params: How to score.
        kept: Where statistics of references are kept.

    Returns:
        The score, and the properties of the reference ``Test``: one row a molecule.
    """
    test = smiles["split"] == "test"
    references = load_references(
        {"Test": smiles.loc[test, "smiles"].tolist()},
        kept=kept,
        shipped=raw if raw.is_dir() else None,
        reference=params.reference,
        fcd=params.fcd,
        device=params.device,
        batch=params.chemnet_batch,
        n_jobs=params.n_jobs,
    )
    result = score(list(generated), smiles.loc[~test, "smiles"].tolist(), references, params)
    return result, references["Test"].profile()
