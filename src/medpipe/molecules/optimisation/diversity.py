"""When a scaffold has been looked at enough."""

from collections import Counter
from collections.abc import Iterable

from medpipe.molecules.optimisation.params import DiversityParams
from medpipe.molecules.scaffold import murcko_scaffold


class ScaffoldMemory:
    """Counts good molecules by scaffold; where a bucket is full, more of them are worth nothing.

    The filter of identical Murcko scaffolds of REINVENT (Blaschke et al., J. Cheminf. 12, 68, 2020).

    Args:
        params: Size of the buckets.
        counts: Scaffold to good molecules seen so far.
    """

    def __init__(self, params: DiversityParams, counts: dict[str, int] | None = None) -> None:
        self._params = params
        self.counts: Counter[str] = Counter(counts or {})

    def admit(self, molecules: Iterable[tuple[str, float]]) -> list[bool]:
        """Whether each still counts; those that do are remembered.

        Args:
            molecules: Canonical SMILES and score, no molecule twice.
        """
        return [self._admit(smiles, score) for smiles, score in molecules]

    def _admit(self, smiles: str, score: float) -> bool:
        if not self._params.bucket_size or score < self._params.min_score:
            return True
        scaffold = murcko_scaffold(smiles)
        if self.counts[scaffold] >= self._params.bucket_size:
            return False
        self.counts[scaffold] += 1
        return True
