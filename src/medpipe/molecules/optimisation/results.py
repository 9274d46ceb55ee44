"""What came out of a search: the best molecules, and how much better they are."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.molecules.metrics.bootstrap import Interval, fraction_interval, mean_interval
from medpipe.molecules.optimisation.evolution import FROM_SCRATCH
from medpipe.molecules.optimisation.measures import internal_diversity
from medpipe.molecules.optimisation.params import OptimiseParams

COUNTS = ("drawn", "invalid", "unlike_start", "scored", "gated", "new", "full_scaffold")
"""Points of a history that add up over its steps."""
_REPLICATES = 1000


def rank(found: pd.DataFrame, keep: int) -> pd.DataFrame:
    """The best molecules, those of the best first.

    Args:
        found: What a search measured; columns start, parent, smiles, step, score, similarity, refused, and the aims'.
        keep: How many of each start, or in all from scratch.

    Returns:
        Columns start, rank (0 is the start itself, 1 its best molecule), smiles, score, start_score, similarity, step,
        parent, and each aim's score and ``<aim>_value``. Molecules no better than their start are left out.
    """
    begun = found[(found["step"] == 0) & (found["start"] != FROM_SCRATCH)]
    start_score = found["start"].map(begun.set_index("start")["score"]).fillna(0.0).astype(float)
    better = found[(found["refused"] == "") & (found["score"] > start_score)]
    better = better.sort_values(["score", "step"], ascending=[False, True], kind="stable")
    better = better[better.groupby("start").cumcount() < keep]
    table = pd.concat([begun, better])
    table["start_score"] = start_score[table.index]
    table["rank"] = table.groupby("start").cumcount() + (0 if len(begun) else 1)
    best = table.groupby("start")["score"].transform("max")
    table = table.assign(best=best).sort_values(["best", "start", "rank"], ascending=[False, True, True])
    first = ["start", "rank", "smiles", "score", "start_score", "similarity", "step", "parent"]
    aims = [name for name in found if name not in (*first, "refused")]
    return table[[*first, *aims]].reset_index(drop=True)


def summarise(
    found: pd.DataFrame, table: pd.DataFrame, history: pd.DataFrame, params: OptimiseParams
) -> dict[str, float]:
    """Flat metrics of a search.

    From starts: ``n_starts``, the share that was ``improved``, the share that ``reached`` ``stop_at`` where there is
    one, mean score before and after and the mean ``improvement`` (none counts as 0) with its standard deviation and
    95 % intervals over the starts, and the mean value of each aim before and after. From scratch: the mean score of the
    molecules kept. For both: their ``internal_diversity`` and number of scaffolds, and counts of what was drawn,
    measured and refused, by reason.

    Args:
        found: What a search measured.
        table: What ``rank`` made of it.
        history: Its course.
        params: What was asked for.
    """
    begun = table[(table["rank"] == 0)]
    aims = list(params.scoring.components)
    if len(begun):
        best = table[table["rank"] <= 1].groupby("start").tail(1).set_index("start", drop=False)
        metrics = _improvement(begun.set_index("start"), best, params) | _aims(begun, best, aims)
    else:
        best = table
        metrics = {"mean_score": float(best["score"].mean()) if len(best) else 0.0} | _aims(None, best, aims)
    metrics |= {"internal_diversity": internal_diversity(best["smiles"].tolist()), "scaffolds": _scaffolds(best)}
    totals = history[history["name"].isin(COUNTS)].groupby("name")["value"].sum()
    reasons = found.loc[found["refused"] != "", "refused"].value_counts()
    metrics |= {name: float(totals.get(name, 0.0)) for name in COUNTS}
    return metrics | {f"refused/{why}": float(n) for why, n in reasons.items()}


def _improvement(begun: pd.DataFrame, best: pd.DataFrame, params: OptimiseParams) -> dict[str, float]:
    before, after = begun["score"].to_numpy(), best.loc[begun.index, "score"].to_numpy()
    gain = after - before
    metrics = {"n_starts": float(len(gain)), "start_score": float(before.mean()), "improvement_sd": float(gain.std())}
    shares = {"improved": gain > 0}
    if params.evolution.stop_at is not None:
        shares["reached"] = after >= params.evolution.stop_at
    for name, hits in shares.items():
        metrics |= _with_interval(name, hits, fraction_interval(int(hits.sum()), len(hits)))
    rng, once = np.random.default_rng(params.seed), np.ones(len(gain), np.int64)
    for name, values in {"improvement": gain, "mean_score": after}.items():
        metrics |= _with_interval(name, values, mean_interval(values, once, _REPLICATES, rng))
    return metrics


def _with_interval(name: str, values: npt.NDArray[Any], interval: Interval) -> dict[str, float]:
    return {name: float(values.mean()), f"{name}_low": interval[0], f"{name}_high": interval[1]}


def _aims(begun: pd.DataFrame | None, best: pd.DataFrame, aims: list[str]) -> dict[str, float]:
    """Mean value of each aim, before and after; an aim that measured nothing is left out."""
    values = {}
    for when, table in (("start", begun), ("best", best)):
        for name in aims:
            if table is not None and table[f"{name}_value"].notna().any():
                values[f"{name}_{when}"] = float(table[f"{name}_value"].mean())
    return values


def _scaffolds(best: pd.DataFrame) -> float:
    from medpipe.molecules.scaffold import murcko_scaffold

    return float(len({murcko_scaffold(smiles) for smiles in best["smiles"]}))
