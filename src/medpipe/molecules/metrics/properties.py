"""logP, synthetic accessibility, drug-likeness and weight of molecules, and how two sets of them differ."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from medpipe.molecules.metrics.patterns import Features, PatternScreen

PROPERTIES = ("logP", "SA", "QED", "weight")


@cache
def _structural_alerts() -> PatternScreen:
    from rdkit.Chem import QED

    return PatternScreen(QED.StructuralAlerts)


def molecule_properties(mol: Any, features: Features) -> tuple[float, float, float, float]:
    """Crippen logP, SA (Ertl and Schuffenhauer 2009), QED (Bickerton et al. 2012) and weight in g/mol.

    Args:
        mol: RDKit molecule.
        features: ``count_features`` of the molecule with its hydrogens.

    Returns:
        Values in the order of ``PROPERTIES``.
    """
    from rdkit.Chem import rdMolDescriptors
    from rdkit.Contrib.SA_Score import sascorer

    log_p, _ = rdMolDescriptors.CalcCrippenDescriptors(mol)
    weight = rdMolDescriptors._CalcMolWt(mol)
    return log_p, sascorer.calculateScore(mol), drug_likeness(mol, features, log_p, weight), weight


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
        HBA=sum(len(mol.GetSubstructMatches(pattern)) for pattern in QED.Acceptors),
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
