"""What new molecules are like: logP, synthetic accessibility, drug-likeness and weight of some of them."""

import numpy as np
from numpy.typing import NDArray

from medpipe.schedule.looking.drift import Profile

N_MOLECULES = 1000
"""Molecules that are looked at, drawn at random."""

_SEED = 0
_DIGITS = 4


def draw(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys of the molecules that are looked at."""
    if len(keys) <= N_MOLECULES:
        return keys
    return np.random.default_rng(_SEED).choice(keys, N_MOLECULES, replace=False)


def profile_of_molecules(texts: list[str], mol_blocks: bool = False) -> Profile:
    """The profile of molecules; texts that are none are passed over.

    Args:
        texts: SMILES, or mol blocks.
        mol_blocks: Which of the two.
    """
    from rdkit import Chem, rdBase

    from medpipe.molecules.metrics.patterns import count_features
    from medpipe.molecules.metrics.properties import PROPERTIES, molecule_properties

    read = Chem.MolFromMolBlock if mol_blocks else Chem.MolFromSmiles
    rows = []
    with rdBase.BlockLogs():
        for text in texts:
            mol = read(text)
            if mol is not None and mol.GetNumAtoms():
                rows.append(molecule_properties(mol, count_features(mol)))
    values = {name: [float(f"{row[i]:.{_DIGITS}g}") for row in rows] for i, name in enumerate(PROPERTIES)}
    return Profile("molecules", values, {})
