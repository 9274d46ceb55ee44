"""BRICS fragments and Bemis-Murcko scaffolds, and how alike two sets of molecules are in them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST_RINGS_OF_SCAFFOLD = 2


def brics_fragments(mol: Any) -> list[str]:
    """SMILES of the pieces that remain when all BRICS bonds are cut (Degen et al., ChemMedChem 3, 1503, 2008)."""
    from rdkit import Chem

    return str(Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(mol))).split(".")


def murcko_scaffold(mol: Any) -> str | None:
    """SMILES of the rings and the chains between them; None with fewer than two rings, as in MOSES."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    try:
        scaffold = MurckoScaffold.GetScaffoldForMol(mol)
    except (ValueError, RuntimeError):
        return None
    smiles = str(Chem.MolToSmiles(scaffold))
    if not smiles or scaffold.GetRingInfo().NumRings() < LEAST_RINGS_OF_SCAFFOLD:
        return None
    return smiles


def count_names(names: Iterable[Iterable[str]], times: Iterable[int]) -> Counter[str]:
    """Adds up names over molecules, each molecule as often as it was generated."""
    total: Counter[str] = Counter()
    for of_one, n in zip(names, times, strict=True):
        for name in of_one:
            total[name] += n
    return total


def cosine_similarity(reference: Mapping[str, int], generated: Mapping[str, int]) -> float | None:
    """Cosine of the angle between two tables of counts, 0 (nothing in common) to 1.

    Counts are summed as floating point numbers: in 64-bit integers, as MOSES does it with recent SciPy, the squares
    overflow for large sets and the result is silently wrong.

    Returns:
        None where a table is empty and there is no angle.
    """
    if not reference or not generated:
        return None
    product = sum(float(count) * reference[name] for name, count in generated.items() if name in reference)
    return product / (_norm(reference) * _norm(generated))


def cosine_similarities(
    reference: Mapping[str, int], names: Sequence[Iterable[str]], weights: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """``cosine_similarity`` of one reference to many weightings of the same molecules.

    Args:
        reference: Counts of the reference.
        names: Of each molecule, (n,).
        weights: How often each molecule counts, (k, n).

    Returns:
        (k,), NaN where there is no angle.
    """
    from scipy.sparse import csr_array

    columns: dict[str, int] = {}
    pairs = [(row, columns.setdefault(name, len(columns))) for row, of_one in enumerate(names) for name in of_one]
    if not pairs or not reference:
        return np.full(len(weights), np.nan)
    occurs = csr_array((np.ones(len(pairs)), tuple(zip(*pairs, strict=True))), shape=(len(names), len(columns)))
    counts = weights @ occurs
    product = counts @ np.array([reference.get(name, 0) for name in columns], dtype=np.float64)
    norms = np.linalg.norm(counts, axis=1) * _norm(reference)
    return np.asarray(np.divide(product, norms, out=np.full(len(weights), np.nan), where=norms > 0))


def _norm(counts: Mapping[str, int]) -> float:
    return float(np.linalg.norm(np.fromiter(counts.values(), dtype=np.float64, count=len(counts))))
