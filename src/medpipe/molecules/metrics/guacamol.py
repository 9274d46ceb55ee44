"""GuacaMol's two distances of distributions (Brown et al., J. Chem. Inf. Model. 59, 1096, 2019).

The KL score compares nine descriptors and the similarity to the nearest other molecule of the same set: for each the
Kullback-Leibler divergence D of the sample from the training molecules, and the mean of exp(-D), 0 to 1. Continuous
descriptors become densities by Gaussian kernels (Scott's bandwidth, 1,000 points), discrete ones histograms of ten
bins of the baseline. The FCD score is exp(-0.2 FCD) to as many training molecules. Both are of distinct molecules
without stereo marks there; the numbers are those of the package guacamol 0.5.5.
"""

import math
import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

CONTINUOUS = ("BertzCT", "MolLogP", "MolWt", "TPSA")
DISCRETE = ("NumHAcceptors", "NumHDonors", "NumRotatableBonds", "NumAliphaticRings", "NumAromaticRings")
N_MEASURES = len(CONTINUOUS) + len(DISCRETE) + 1  # the last one is the similarity to the nearest other molecule
N_MOLECULES = 10_000
"""Strings that the KL score looks at, GuacaMol's size of a sample."""

_N_BITS = 4096
_N_POINTS = 1000
_N_BINS = 10
_ROWS = 1000  # values whose kernels are in memory at a time, 8 MB
_LEAST = 1e-10  # added to each density, so that no logarithm is infinite
_FCD_FACTOR = 0.2
_STEREO = re.compile(r"[@/\\]")


class Physchem(NamedTuple):
    """What the KL score needs of a molecule.

    Attributes:
        flat: Canonical SMILES without stereo marks.
        descriptors: Values of ``CONTINUOUS`` and ``DISCRETE``.
        fingerprint: Morgan fingerprint of radius 2 with 4,096 bits, as bytes.
    """

    flat: str
    descriptors: tuple[float, ...]
    fingerprint: bytes


def physchem(mol: Any, canonical: str, properties: tuple[float, float, float, float]) -> Physchem:
    """Describes a molecule.

    Args:
        mol: RDKit molecule.
        canonical: Its canonical SMILES.
        properties: Its ``molecule_properties``, which hold logP and weight.
    """
    from rdkit import Chem, DataStructs
    from rdkit.Chem import GraphDescriptors, rdMolDescriptors
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    bits = GetMorganGenerator(radius=2, fpSize=_N_BITS).GetFingerprint(mol)
    log_p, _, _, weight = properties
    descriptors = (
        GraphDescriptors.BertzCT(mol),
        log_p,
        weight,
        rdMolDescriptors.CalcTPSA(mol),
        rdMolDescriptors.CalcNumHBA(mol),
        rdMolDescriptors.CalcNumHBD(mol),
        rdMolDescriptors.CalcNumRotatableBonds(mol),
        rdMolDescriptors.CalcNumAliphaticRings(mol),
        rdMolDescriptors.CalcNumAromaticRings(mol),
    )
    flat = Chem.MolToSmiles(mol, isomericSmiles=False) if _STEREO.search(canonical) else canonical
    return Physchem(flat, descriptors, bytes(DataStructs.BitVectToBinaryText(bits)))


def measures(molecules: list[Physchem], n_jobs: int = -1) -> npt.NDArray[np.float64]:
    """The table that ``kl_score`` compares: one row a molecule that is distinct without stereo marks, (n, 10)."""
    from medpipe.molecules.metrics.fingerprints import nearest_others

    distinct = list({one.flat: one for one in molecules}.values())
    if not distinct:
        return np.zeros((0, N_MEASURES))
    bits = np.frombuffer(b"".join(one.fingerprint for one in distinct), dtype=np.uint64).reshape(len(distinct), -1)
    return np.column_stack([np.array([one.descriptors for one in distinct]), nearest_others(bits, n_jobs)])


def fcd_score(distance: float) -> float:
    """exp(-0.2 FCD), 0 to 1."""
    return math.exp(-_FCD_FACTOR * distance)


def kl_score(baseline: npt.NDArray[np.float64], sampled: npt.NDArray[np.float64]) -> float | None:
    """GuacaMol's KL score.

    Args:
        baseline: ``measures`` of training molecules, (m, 10).
        sampled: ``measures`` of generated ones, (n, 10).

    Returns:
        0 (nothing alike) to 1; None where a descriptor has only one value, so that there is no density.
    """
    if not (_has_densities(baseline) and _has_densities(sampled)):
        return None
    return float(_scores(baseline, sampled, np.zeros(len(sampled), dtype=np.int64), leave_out=False)[0])


def kl_scores_without(
    baseline: npt.NDArray[np.float64], sampled: npt.NDArray[np.float64], block_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """KL score without one block of the generated molecules after the other, (blocks,); bandwidths stay as they are.

    Args:
        baseline: As in ``kl_score``, with densities.
        sampled: Likewise, (n, 10).
        block_of: Block of each generated molecule, (n,).
    """
    return _scores(baseline, sampled, block_of, leave_out=True)


def _has_densities(table: npt.NDArray[np.float64]) -> bool:
    columns = [*range(len(CONTINUOUS)), N_MEASURES - 1]
    return len(table) > 1 and bool((np.ptp(table[:, columns], axis=0) > 0).all())


def _scores(
    baseline: npt.NDArray[np.float64],
    sampled: npt.NDArray[np.float64],
    block_of: npt.NDArray[np.int64],
    leave_out: bool,
) -> npt.NDArray[np.float64]:
    """Mean of exp(-divergence) of the whole (1,), or without each block (blocks,)."""
    total = np.zeros(block_of.max() + 1 if leave_out else 1)
    for column in range(N_MEASURES):
        values = baseline[:, column], sampled[:, column]
        discrete = len(CONTINUOUS) <= column < N_MEASURES - 1
        expected, found = (_histograms if discrete else _densities)(*values, block_of)
        masses = found.sum(axis=0) - found if leave_out else found
        total += np.exp(-_divergences(expected, masses))
    return total / N_MEASURES


def _densities(
    baseline: npt.NDArray[np.float64], sampled: npt.NDArray[np.float64], block_of: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Density of the baseline (points,), and what each block adds to that of the sample (blocks, points)."""
    low, high = min(baseline.min(), sampled.min()), max(baseline.max(), sampled.max())
    points = np.linspace(low, high, _N_POINTS)
    whole = np.zeros(len(baseline), dtype=np.int64)
    return _kernel_sums(baseline, points, whole)[0], _kernel_sums(sampled, points, block_of)


def _kernel_sums(
    values: npt.NDArray[np.float64], points: npt.NDArray[np.float64], block_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Sum over each block of the values' Gaussian kernels, scaled so that all blocks together are a density."""
    width = values.std(ddof=1) * len(values) ** -0.2  # Scott's rule in one dimension
    scale = len(values) * width * math.sqrt(2 * math.pi)
    sums = np.zeros((block_of.max() + 1, len(points)))
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        kernels = np.exp(-0.5 * ((points - values[rows, None]) / width) ** 2)
        for block in np.unique(block_of[rows]):
            sums[block] += kernels[block_of[rows] == block].sum(axis=0)
    return sums / scale


def _histograms(
    baseline: npt.NDArray[np.float64], sampled: npt.NDArray[np.float64], block_of: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts in ten bins of the baseline (bins,), and of each block (blocks, bins)."""
    counts, bins = np.histogram(baseline, bins=_N_BINS)
    width = bins[1] - bins[0]
    found = [np.histogram(sampled[block_of == block], bins=bins)[0] for block in range(block_of.max() + 1)]
    return counts / (counts.sum() * width), np.array(found) / (max(np.sum(found), 1) * width)


def _divergences(expected: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kullback-Leibler divergence of each row of ``found`` (k, bins) from ``expected`` (bins,), both normalised."""
    first = expected + _LEAST
    second = found + _LEAST
    first, second = first / first.sum(), second / second.sum(axis=1, keepdims=True)
    return np.asarray((first * np.log(first / second)).sum(axis=1))
