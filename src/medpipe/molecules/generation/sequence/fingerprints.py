"""What a critic of finished molecules sees: which groups of atoms a string holds, and whether it is a molecule."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator

N_BITS = 1024
N_FEATURES = N_BITS + 1
"""The last one is 1 where a string is no molecule."""
_RADIUS = 2
"""Bonds around an atom: ECFP4 (Rogers and Hahn, J. Chem. Inf. Model. 50, 742, 2010)."""

_generator = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=N_BITS)


def fingerprints(smiles: Sequence[str]) -> npt.NDArray[np.float32]:
    """Logarithms of one more than the counts of atom environments, (B, N_FEATURES), of B strings as they came out."""
    features = np.zeros((len(smiles), N_FEATURES), np.float32)
    with rdBase.BlockLogs():
        for row, one in enumerate(smiles):
            molecule = Chem.MolFromSmiles(one) if one else None
            if molecule is None:
                features[row, N_BITS] = 1
            else:
                features[row, :N_BITS] = _generator.GetCountFingerprintAsNumPy(molecule)
    return np.log1p(features)
