"""Many aims, one score: molecules are parsed once, in processes, and measured by every aim."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medpipe.core.errors import InputError
from medpipe.core.parallel import parallel
from medpipe.molecules.optimisation.components import Measure, descriptors, pattern_verdict, read, similarity_to
from medpipe.molecules.optimisation.gate import PropertyGate
from medpipe.molecules.optimisation.params import (
    Component,
    DescriptorParams,
    PatternParams,
    PropertyParams,
    ScoringParams,
    SimilarityParams,
)

INVALID, UNLIKE = "invalid", "unlike the start"
_CHUNK = 100
_WORTH_PROCESSES = 300
"""Molecules below which handing them to other processes takes longer than it saves."""

Array = npt.NDArray[np.float64]
_Measured = tuple[str, float, tuple[float, ...] | None]


@dataclass(frozen=True)
class Scores:
    """What was found out about n strings by c aims.

    Attributes:
        names: The aims.
        smiles: Canonical SMILES, empty where a string is no molecule.
        total: (n,) one score each, 0 to 1; 0 where it was refused.
        values: (n, c) what each aim measured, in its own unit; NaN where it was not measured.
        scores: (n, c) the same as scores 0 to 1.
        similarity: (n,) Tanimoto similarity to its start; NaN without one.
        refused: Why the total is 0 whatever the aims say; empty where it is not.
    """

    names: tuple[str, ...]
    smiles: list[str]
    total: Array
    values: Array
    scores: Array
    similarity: Array
    refused: list[str]

    def table(self) -> pd.DataFrame:
        """Columns smiles, score, refused, and for each aim its score and ``<aim>_value``."""
        columns = {"smiles": self.smiles, "score": self.total, "refused": self.refused}
        for i, name in enumerate(self.names):
            columns |= {name: self.scores[:, i], f"{name}_value": self.values[:, i]}
        return pd.DataFrame(columns)


class Scorer:
    """Scores molecules by what the parameters ask for.

    Args:
        params: The aims.
        models: Folder with the checkpoints of property models, or one such file.

    Raises:
        InputError: A property model is not there or does not know the task.
    """

    def __init__(self, params: ScoringParams, models: Path | None = None) -> None:
        self._params, self._plan = params, params.model_dump_json(include={"components"})
        self.names = tuple(params.components)
        self._gates = {
            i: PropertyGate(name, aim, models, params.n_jobs)
            for i, (name, aim) in enumerate(params.components.items())
            if isinstance(aim, PropertyParams)
        }

    def score(self, smiles: Sequence[str], starts: Sequence[str] | None = None, min_similarity: float = 0.0) -> Scores:
        """Scores strings; what is no molecule, or too unlike its start, is not measured and worth nothing.

        Args:
            smiles: n strings.
            starts: The molecule that each must stay similar to.
            min_similarity: How similar, by Tanimoto (Morgan, radius 2, 2048 bits).
        """
        measured = list(self._measure(smiles, starts, min_similarity))
        canonical = [one for one, _, _ in measured]
        refused = ["" if values is not None else UNLIKE if one else INVALID for one, _, values in measured]
        nothing = (np.nan,) * len(self.names)
        values = np.array([nothing if one is None else one for _, _, one in measured], np.float64)
        values = values.reshape(len(measured), len(self.names))
        for column, gate in self._gates.items():
            asked = [i for i, why in enumerate(refused) if not why]
            values[asked, column], reasons = gate.predict([canonical[i] for i in asked])
            for i, why in zip(asked, reasons, strict=True):
                refused[i] = why
        scores = self._transform(values)
        total = np.where(np.array([not why for why in refused], bool), self._aggregate(scores), 0.0)
        return Scores(self.names, canonical, total, values, scores, np.array([s for _, s, _ in measured]), refused)

    def _measure(
        self, smiles: Sequence[str], starts: Sequence[str] | None, min_similarity: float
    ) -> Iterator[_Measured]:
        pairs = list(zip(smiles, starts or [""] * len(smiles), strict=True))
        chunks = [pairs[first : first + _CHUNK] for first in range(0, len(pairs), _CHUNK)]
        measure = partial(_measure_chunk, plan=self._plan, min_similarity=min_similarity)
        if self._params.n_jobs == 1 or len(pairs) < _WORTH_PROCESSES:
            measured: Iterator[list[_Measured]] = map(measure, chunks)
        else:
            measured = parallel(measure, chunks, description=None, n_jobs=self._params.n_jobs)
        for chunk in measured:
            yield from chunk

    def _transform(self, values: Array) -> Array:
        scores = np.full_like(values, np.nan)
        known = ~np.isnan(values)
        for i, (name, aim) in enumerate(self._params.components.items()):
            found = aim.transform(values[known[:, i], i])
            if found.size and not (found.min() >= 0 and found.max() <= 1):
                worst = found[np.argmax(np.abs(found - 0.5))]
                raise InputError(
                    f"scoring.components.{name}: {worst:g} is no score between 0 and 1; give it a transform, such as "
                    "{type: sigmoid, low: ..., high: ...}."
                )
            scores[known[:, i], i] = found
        return scores

    def _aggregate(self, scores: Array) -> Array:
        """Weighted mean of the aims, times those that are filters."""
        aims = list(self._params.components.values())
        counted = np.array([not aim.filter for aim in aims])
        total = np.where(counted, 1.0, np.nan_to_num(scores)).prod(1)
        if not counted.any():
            return np.asarray(total)
        weights = np.array([aim.weight for aim in aims])[counted]
        parts = np.nan_to_num(scores[:, counted])
        if self._params.aggregate == "arithmetic_mean":
            return np.asarray(total * (parts @ weights) / weights.sum())
        with np.errstate(divide="ignore"):
            return np.asarray(total * np.exp(np.log(parts) @ weights / weights.sum()))


def _measure_chunk(pairs: list[tuple[str, str]], plan: str, min_similarity: float) -> list[_Measured]:
    from rdkit import rdBase

    measures = _measures(plan)
    with rdBase.BlockLogs():
        return [_measure_one(smiles, start, measures, min_similarity) for smiles, start in pairs]


def _measure_one(smiles: str, start: str, measures: tuple[Measure, ...], min_similarity: float) -> _Measured:
    from rdkit import DataStructs

    if (molecule := read(smiles)) is None:
        return "", np.nan, None
    similarity = np.nan
    if start:
        similarity = DataStructs.TanimotoSimilarity(molecule.fingerprint, _fingerprint(start))
        if similarity < min_similarity:
            return molecule.smiles, similarity, None
    return molecule.smiles, similarity, tuple(float(measure(molecule)) for measure in measures)


@cache
def _measures(plan: str) -> tuple[Measure, ...]:
    """The measures of the aims; a property model's is filled in later."""
    return tuple(_measure_of(aim) for aim in ScoringParams.model_validate_json(plan).components.values())


def _measure_of(aim: Component) -> Measure:
    if isinstance(aim, DescriptorParams):
        return descriptors()[aim.kind]
    if isinstance(aim, SimilarityParams):
        return similarity_to(aim)
    return pattern_verdict(aim) if isinstance(aim, PatternParams) else lambda _: np.nan


@cache
def _fingerprint(smiles: str) -> Any:
    molecule = read(smiles)
    if molecule is None:
        raise InputError(f"start {smiles[:80]!r}: not a molecule.")
    return molecule.fingerprint
