"""Generations of children: of the best molecules so far some are changed by a network, and the best of all go on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from medpipe.core.progress import track
from medpipe.molecules.optimisation.diversity import ScaffoldMemory
from medpipe.molecules.optimisation.journal import Journal
from medpipe.molecules.optimisation.measures import History, internal_diversity
from medpipe.molecules.optimisation.params import DiversityParams, EvolutionParams
from medpipe.molecules.optimisation.scoring import INVALID, UNLIKE, Scorer

FROM_SCRATCH = ""
FULL_SCAFFOLD = "scaffold is full"


class Mutation(Protocol):
    """Makes children; a network does it."""

    def __call__(self, parents: Sequence[str], seed: int) -> list[str]:
        """One child of each parent, as it came out; it may be invalid."""
        ...

    def draw(self, n: int, seed: int) -> list[str]:
        """``n`` molecules from nothing."""
        ...


@dataclass
class Lineage:
    """What has come of one start.

    Attributes:
        start: Canonical SMILES; ``FROM_SCRATCH`` where there is none.
        memory: Scaffolds seen.
        best: Score and SMILES of those that have children, best first.
        seen: All molecules that were scored.
    """

    start: str
    memory: ScaffoldMemory
    best: list[tuple[float, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def parents(self, n: int, rng: np.random.Generator) -> list[str]:
        """``n`` of the best, each as likely as the other; the start is always one of them.

        The best lie at the edge of what is similar enough, where most children fall off; the start does not.
        """
        pool = [smiles for _, smiles in self.best]
        if self.start and self.start not in pool:
            pool.append(self.start)
        return [pool[i] for i in rng.integers(len(pool), size=n)]

    def take(self, rows: pd.DataFrame, n_parents: int) -> pd.Series:
        """Takes scored molecules in; those of full scaffolds have no children.

        Args:
            rows: Columns smiles, score, all of them new.
            n_parents: How many stay in ``best``.

        Returns:
            Which of them still counted.
        """
        self.seen.update(rows["smiles"])
        admitted = self.memory.admit(zip(rows["smiles"], rows["score"], strict=True))
        good = rows[admitted]
        self.best += list(zip(good["score"], good["smiles"], strict=True))
        self.best = sorted(self.best, key=lambda one: -one[0])[:n_parents]
        return pd.Series(admitted, rows.index, dtype=bool)


def evolve(
    starts: Sequence[str],
    mutation: Mutation,
    scorer: Scorer,
    params: EvolutionParams,
    diversity: DiversityParams,
    seed: int,
    journal: Journal,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Looks for better molecules near each start, or anywhere.

    Args:
        starts: Canonical SMILES, none twice; none at all begins with molecules that the generator says.
        mutation: Makes children.
        scorer: Says how good they are.
        params: How many, how similar.
        diversity: When a scaffold has been looked at enough, in each lineage.
        seed: Of all chance, together with the number of the generation.
        journal: Where finished generations are kept, so that a killed run goes on.

    Returns:
        All distinct molecules that were measured (columns start, parent, smiles, step, score, similarity, refused, and
        the aims'), those of the starts themselves with step 0; and the history: columns step, name, value.
    """
    lineages = [Lineage(start, ScaffoldMemory(diversity)) for start in starts or [FROM_SCRATCH]]
    history, taken = History(), []
    for step in track(range(params.generations + 1), "Optimising molecules"):
        make = _Founders(lineages, mutation, params) if step == 0 else _Children(lineages, mutation, params)
        rows = journal.recall(step)
        if rows is None:
            rows = make(scorer, np.random.default_rng([seed, step]))
            journal.write(step, rows)
        if not len(rows):
            break
        taken.append(_take(rows.assign(step=step), lineages, params.parents))
        history.add(step, _describe(rows, taken[-1], lineages))
    return pd.concat(taken, ignore_index=True), history.table()


@dataclass
class _Founders:
    """The starts themselves, or molecules from nothing."""

    lineages: list[Lineage]
    mutation: Mutation
    params: EvolutionParams

    def __call__(self, scorer: Scorer, rng: np.random.Generator) -> pd.DataFrame:
        if self.lineages[0].start:
            starts = [one.start for one in self.lineages]
            return _scored(scorer, starts, [""] * len(starts), list(range(len(starts))), starts, 0.0)
        drawn = self.mutation.draw(self.params.children, int(rng.integers(2**31)))
        return _scored(scorer, drawn, [""] * len(drawn), [0] * len(drawn), None, 0.0)


@dataclass
class _Children:
    """Children of the best of each lineage that is not done."""

    lineages: list[Lineage]
    mutation: Mutation
    params: EvolutionParams

    def __call__(self, scorer: Scorer, rng: np.random.Generator) -> pd.DataFrame:
        stop_at = np.inf if self.params.stop_at is None else self.params.stop_at
        going = [i for i, one in enumerate(self.lineages) if one.best and one.best[0][0] < stop_at]
        number = [i for i in going for _ in range(self.params.children)]
        parents = [smiles for i in going for smiles in self.lineages[i].parents(self.params.children, rng)]
        if not parents:
            return pd.DataFrame()
        children = self.mutation(parents, int(rng.integers(2**31)))
        starts = [self.lineages[i].start for i in number] if self.lineages[0].start else None
        return _scored(scorer, children, parents, number, starts, self.params.min_similarity)


def _scored(
    scorer: Scorer,
    smiles: Sequence[str],
    parents: list[str],
    lineage: list[int],
    starts: Sequence[str] | None,
    min_similarity: float,
) -> pd.DataFrame:
    scores = scorer.score(smiles, starts, min_similarity)
    return scores.table().assign(parent=parents, lineage=lineage, similarity=scores.similarity)


def _take(rows: pd.DataFrame, lineages: list[Lineage], n_parents: int) -> pd.DataFrame:
    """The measured molecules that are new to their lineage, which takes them in."""
    measured = rows[~rows["refused"].isin([INVALID, UNLIKE])].drop_duplicates(["lineage", "smiles"])
    new = [smiles not in lineages[i].seen for i, smiles in zip(measured["lineage"], measured["smiles"], strict=True)]
    measured = measured[np.array(new, bool)].copy()
    for _, group in measured.groupby("lineage"):
        admitted = lineages[int(group["lineage"].iloc[0])].take(group, n_parents)
        full = admitted.index[~admitted]
        measured.loc[full, "refused"] = FULL_SCAFFOLD
        measured.loc[full, "score"] = 0.0
    measured["start"] = [lineages[i].start for i in measured["lineage"]]
    return measured.drop(columns="lineage")


def _describe(rows: pd.DataFrame, taken: pd.DataFrame, lineages: list[Lineage]) -> dict[str, float]:
    """What one generation brought: counts of all that was drawn, and the state of the search after it."""
    best = [one.best for one in lineages if one.best]
    shown = [pool[0][1] for pool in best] if lineages[0].start else [smiles for pool in best for _, smiles in pool]
    invalid, unlike = ((rows["refused"] == why).sum() for why in (INVALID, UNLIKE))
    gated = (~rows["refused"].isin(["", INVALID, UNLIKE])).sum()
    return {
        "best_score": float(np.mean([pool[0][0] for pool in best])) if best else 0.0,
        "mean_score": float(taken["score"].mean()) if len(taken) else 0.0,
        "internal_diversity": internal_diversity(shown),
        "drawn": len(rows),
        "invalid": float(invalid),
        "unlike_start": float(unlike),
        "scored": float(len(rows) - invalid - unlike),
        "gated": float(gated),
        "new": float(len(taken)),
        "full_scaffold": float((taken["refused"] == FULL_SCAFFOLD).sum()),
    }
