"""Two generators on the same test molecules."""

from pathlib import Path

import pandas as pd
from pydantic import Field

from medpipe.core.fingerprint import digest
from medpipe.molecules.metrics.bootstrap import LEVEL
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.score import score_against_test
from medpipe.promotion.params import GateParams, GuardParams, HeadlineParams
from medpipe.promotion.scores import Scores

UNIT = "drawn molecules"
PROBLEM = "problem"
"""Where the reason stands, in ``attrs`` of drawn molecules, for which there are none."""
_GUARDS = {
    "valid": GuardParams(better="higher", tolerance=0.02),
    "unique_at_10000": GuardParams(better="higher", tolerance=0.01),
    "novelty": GuardParams(better="higher", tolerance=0.05),
    "near_train": GuardParams(better="lower", tolerance=0.05, optional=True),
}
_NOT_MEASURED = ("_floor", "_of_test")
"""Endings of the names that tell what real molecules score."""


class GeneratorGateParams(GateParams):
    """When a generator replaces the champion.

    Attributes:
        headline: Fréchet ChemNet distance to the molecules of test: to be near, what is drawn must be like real
            molecules in kind, properties and variety, while validity alone is won by drawing ethanol for ever.
        guards: What the distance does not see: invalid strings, repeats of few molecules, molecules learnt by heart
            (``memorised`` is 1 - ``novelty``) or nearly so.
        confidence: That of the measures' intervals.
        n_bootstraps: Resamples of the drawn molecules.
        min_units: Molecules that must be drawn.
    """

    headline: HeadlineParams = HeadlineParams(metric="FCD_Test", better="lower", min_gain=0.02)
    guards: dict[str, GuardParams] = Field(default_factory=lambda: dict(_GUARDS))
    confidence: float = Field(LEVEL, ge=LEVEL, le=LEVEL)
    min_units: int = Field(500, ge=2)


def score_generator(
    drawn: pd.DataFrame, smiles: pd.DataFrame, raw: Path, params: ScoreParams, gate: GateParams, folder: Path
) -> Scores:
    """Measures what a generator drew.

    Two generators' molecules have no pairs; each measure comes with the interval of its own sample, and those of two
    samples give that of their difference (`medpipe.promotion.differences.independent_interval`). The test molecules are
    the same for both, and no source of chance here.

    Args:
        drawn: Column smiles, as they came out; ``attrs`` may have the reason why there are none.
        smiles: Columns smiles (canonical) and split.
        raw: Where the raw molecules lie.
        params: Of the measures.
        gate: How many resamples, with which seed.
        folder: Where reference statistics are kept.
    """
    wanted = params.model_copy(update={"bootstrap_replicates": gate.n_bootstraps, "seed": gate.seed})
    about = wanted.model_dump(mode="json", exclude={"n_jobs", "device", "chemnet_batch"})
    test = digest(smiles[["smiles", "split"]], about)
    n_test = int((smiles["split"] == "test").sum())
    problem = str(drawn.attrs.get(PROBLEM, ""))
    if problem or not len(drawn) or not n_test:
        return Scores(test, UNIT, len(drawn) if n_test else 0, problem=problem)
    result, _ = score_against_test(drawn["smiles"].tolist(), smiles, raw, wanted, folder)
    found = {name: value for name, value in result.metrics.items() if not name.endswith(_NOT_MEASURED)}
    values = {name: value for name, value in found.items() if not name.endswith(("_low", "_high"))}
    intervals = {name: (found[f"{name}_low"], found[f"{name}_high"]) for name in values if f"{name}_low" in found}
    return Scores(test, UNIT, len(drawn), values, intervals=intervals)


def nothing_drawn(problem: str) -> pd.DataFrame:
    """No molecules, and why."""
    table = pd.DataFrame({"smiles": pd.Series(dtype="str")})
    table.attrs = {PROBLEM: problem}
    return table
