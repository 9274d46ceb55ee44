"""How a search went: its course, and how different its results are from each other."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from medpipe.training.history import COLUMNS

_MOST_COMPARED = 1000
"""Molecules of which diversity is computed; the first ones."""


class History:
    """Points of a course: step, name, value."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, float]] = []

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Takes down what was measured at a step."""
        self._rows += [(step, name, float(value)) for name, value in values.items()]

    def table(self) -> pd.DataFrame:
        """Columns step, name, value."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS)).astype(COLUMNS)


def internal_diversity(smiles: Sequence[str]) -> float:
    """1 less the mean Tanimoto similarity of different molecules of a set (Morgan, radius 2, 2048 bits); 0 of one.

    Args:
        smiles: Valid molecules; of a large set the first 1,000 are compared.
    """
    from rdkit import DataStructs

    from medpipe.molecules.optimisation.components import read

    prints = [one.fingerprint for one in map(read, smiles[:_MOST_COMPARED]) if one is not None]
    if len(prints) < 2:
        return 0.0
    likeness = [DataStructs.BulkTanimotoSimilarity(one, prints[:i]) for i, one in enumerate(prints) if i]
    return 1 - float(np.concatenate(likeness).mean())
