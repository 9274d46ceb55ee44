"""logP, synthetic accessibility, drug-likeness and weight of molecules, and how two sets of them differ."""

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from medpipe.molecules.metrics.patterns import Features, PatternScreen

PROPERTIES = ("logP", "SA", "QED", "weight")


_ACCEPTORS = "[oH0X2,OH1X2v2,OH0X2v2,OH0X1v2,O-X1,SH0X2v2,SH0X1v2,S-X1,nH0X2,NH0X1v3,$([N;+0;X3;v3])&!$(N[C,S]=O)]"
"""The eleven patterns of one atom by which ``rdkit.Chem.QED`` counts acceptors; no atom fits two of them."""

_SA_RARE = -4.0
"""Contribution of an environment that the table of Ertl and Schuffenhauer does not hold."""
_SA_LARGE_RING = 8
_SA_RANGE = (-4.0, 2.5)
"""Raw scores that become 10 (hard) and 1 (easy)."""


@cache
def _structural_alerts() -> PatternScreen:
    from rdkit.Chem import QED

    return PatternScreen(QED.StructuralAlerts)


def molecule_properties(mol: Any, features: Features | None) -> tuple[float, float, float, float]:
    """Crippen logP, SA (Ertl and Schuffenhauer 2009), QED (Bickerton et al. 2012) and weight in g/mol.

    Args:
        mol: RDKit molecule.
        features: ``count_features(mol)``; None leaves out SA and QED, which take most of the time: they are NaN.

    Returns:
        Values in the order of ``PROPERTIES``.
    """
    from rdkit.Chem import rdMolDescriptors

    log_p, _ = rdMolDescriptors.CalcCrippenDescriptors(mol)
    weight = rdMolDescriptors._CalcMolWt(mol)
    if features is None:
        return log_p, math.nan, math.nan, weight
    return log_p, synthetic_accessibility(mol), drug_likeness(mol, features, log_p, weight), weight


@cache
def _environment_scores() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float64]]:
    """Atom environments (hashes in rising order) and their contributions to SA, from the table that RDKit ships.

    As arrays the 700,000 take a tenth of the memory of RDKit's dictionary, in each process.
    """
    from rdkit.Contrib.SA_Score import sascorer

    sascorer.readFragmentScores()
    hashes = np.fromiter(sascorer._fscores.keys(), np.uint32, len(sascorer._fscores))
    scores = np.fromiter(sascorer._fscores.values(), np.float64, len(sascorer._fscores))
    sascorer._fscores = None  # RDKit reads it again should it need it
    order = np.argsort(hashes)
    return hashes[order], scores[order]


@cache
def _environments() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2)


def synthetic_accessibility(mol: Any) -> float:
    """SA score, 1 (easy) to 10 (hard to make), as ``sascorer.calculateScore`` of RDKit's Contrib, which is slower.

    Ertl and Schuffenhauer, J. Cheminform. 1, 8 (2009), with the two changes of RDKit: a molecule with large rings pays
    once, and one with few kinds of environments (symmetry) gets a bonus.

    Args:
        mol: RDKit molecule as read from SMILES, which marks possible stereo centres.
    """
    from rdkit.Chem import rdMolDescriptors

    known, scores = _environment_scores()
    environments = _environments().GetSparseCountFingerprint(mol).GetNonzeroElements()
    hashes, found = (np.fromiter(values, np.uint32) for values in (environments.keys(), environments.values()))
    rows = np.searchsorted(known, hashes).clip(max=len(known) - 1)
    typical = float(np.where(known[rows] == hashes, scores[rows], _SA_RARE) @ found)
    n_atoms = mol.GetNumAtoms()
    counts = (
        rdMolDescriptors.CalcNumAtomStereoCenters(mol),
        rdMolDescriptors.CalcNumSpiroAtoms(mol),
        rdMolDescriptors.CalcNumBridgeheadAtoms(mol),
        any(len(ring) > _SA_LARGE_RING for ring in mol.GetRingInfo().AtomRings()),
    )
    penalty = n_atoms**1.005 - n_atoms + sum(math.log10(1 + count) for count in counts)
    bonus = math.log(n_atoms / len(environments)) / 2 if n_atoms > len(environments) else 0.0
    low, high = _SA_RANGE
    score = 11.0 - (typical / sum(environments.values()) - penalty + bonus - low + 1) / (high - low) * 9.0
    if score > 8.0:
        score = 8.0 + math.log(score - 8.0)
    return min(max(score, 1.0), 10.0)


@cache
def _acceptors() -> Any:
    from rdkit import Chem

    return Chem.MolFromSmarts(_ACCEPTORS)


def drug_likeness(mol: Any, features: Features, log_p: float, weight: float) -> float:
    """QED as ``rdkit.Chem.QED.qed``, without computing logP and weight again and with the alerts screened.

    Molecules with hydrogens that RDKit keeps as atoms (``[H][H]``, isotopes) take RDKit's own road, since QED removes
    hydrogens first.
    """
    from rdkit import Chem
    from rdkit.Chem import QED, rdMolDescriptors

    if mol.GetNumHeavyAtoms() < mol.GetNumAtoms():
        return float(QED.qed(mol))
    properties = QED.QEDproperties(
        MW=weight,
        ALOGP=log_p,
        HBA=len(mol.GetSubstructMatches(_acceptors())),
        HBD=rdMolDescriptors.CalcNumHBD(mol),
        PSA=rdMolDescriptors.CalcTPSA(mol),
        ROTB=rdMolDescriptors.CalcNumRotatableBonds(mol, rdMolDescriptors.NumRotatableBondsOptions.Strict),
        AROM=len(Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(mol), QED.AliphaticRings))),
        ALERTS=_structural_alerts().count(mol, features),
    )
    return float(QED.qed(mol, qedProperties=properties))


def wasserstein(
    reference: npt.NDArray[np.float64],
    generated: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
) -> float:
    """Wasserstein-1 distance of two sets of values, in their unit: how far one must be moved to become the other.

    Args:
        reference: Values of the reference molecules, (m,).
        generated: Values of the distinct generated molecules, (n,).
        counts: How often each was generated, (n,).
    """
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(reference, generated, v_weights=counts))
