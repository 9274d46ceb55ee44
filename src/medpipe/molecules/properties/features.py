"""What the models see of a molecule: atoms and bonds as small codes, descriptors, counted fragments, fingerprint.

Each molecule is read once, in worker processes. A set of molecules is a few flat arrays, from which a batch is cut
without a loop over molecules or atoms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from medpipe.core.parallel import parallel
from medpipe.core.progress import track
from medpipe.molecules.metrics.fingerprints import morgan, unpack_bytes
from medpipe.molecules.metrics.validity import read_short

ELEMENTS = (1, 3, 5, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 26, 29, 30, 33, 34, 35, 50, 53, 78, 80)
"""Atomic numbers with a code of their own; all others share one."""
_SIZES = (len(ELEMENTS) + 1, 7, 7, 4, 6, 8, 2, 2)
"""Values of each atom feature: element, neighbours, charge -3 to 3, chirality, hydrogens, hybridisation, aromatic, in a
ring; after Yang et al. (JCIM 2019), table 1."""
_BOND_SIZES = (5, 2, 2, 6)
"""Values of each bond feature: order, conjugated, in a ring, stereo."""
_STARTS = np.cumsum((0, *_SIZES[:-1]))
_BOND_STARTS = np.cumsum((0, *_BOND_SIZES[:-1]))
N_ATOM_CODES, N_BOND_CODES = sum(_SIZES), sum(_BOND_SIZES)
N_COUNTED = 2048
"""Folded counts of Morgan fragments of radius 2."""
N_DESCRIPTORS = 121
_ORDERS = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}
_CHUNK = 100
_MAX_COUNT = 255
_MAX_DESCRIPTOR = 1e6  # a few descriptors grow without bound on strange molecules
_ELEMENT_CODE = np.full(256, len(ELEMENTS), dtype=np.int16)
_ELEMENT_CODE[list(ELEMENTS)] = np.arange(len(ELEMENTS))

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MoleculeFeatures:
    """Features of n molecules with a atoms and b bonds in all.

    Attributes:
        n_atoms: (n,).
        n_bonds: (n,).
        atoms: Rows of the table of atom codes, (a, 8).
        bonds: Rows of the table of bond codes, (b, 4).
        ends: The two atoms of each bond, numbered from 0 in each molecule, (b, 2).
        descriptors: RDKit's 2D descriptors, (n, 121).
        counts: How often each fragment occurs, at most 255, (n, 2048).
        fingerprints: Packed Morgan fingerprints, (n, 16).
    """

    n_atoms: IntArray
    n_bonds: IntArray
    atoms: npt.NDArray[np.int16]
    bonds: npt.NDArray[np.int16]
    ends: npt.NDArray[np.int16]
    descriptors: npt.NDArray[np.float32]
    counts: npt.NDArray[np.uint8]
    fingerprints: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.n_atoms)

    def take(self, rows: npt.ArrayLike) -> "MoleculeFeatures":
        """The molecules ``rows``, in this order."""
        chosen = np.asarray(rows, dtype=np.int64)
        atoms, bonds = ragged(self.n_atoms, chosen), ragged(self.n_bonds, chosen)
        cut = {"atoms": atoms, "bonds": bonds, "ends": bonds}
        values = {field.name: getattr(self, field.name)[cut.get(field.name, chosen)] for field in fields(self)}
        return MoleculeFeatures(**values)


def ragged(sizes: IntArray, chosen: IntArray) -> IntArray:
    """Places of the items of the ``chosen`` groups, where groups of the given sizes lie one behind the other."""
    starts = np.cumsum(sizes) - sizes
    taken = sizes[chosen]
    before = np.cumsum(taken) - taken
    return np.arange(taken.sum()) + np.repeat(starts[chosen] - before, taken)


def read_features(
    smiles: Sequence[str], n_jobs: int = -1, description: str | None = "Reading molecules"
) -> tuple[MoleculeFeatures, IntArray]:
    """Reads molecules.

    Args:
        smiles: What to read.
        n_jobs: Processes; -1 is one a core.
        description: What the user reads beside the progress bar; None shows none.

    Returns:
        Features of the valid ones, and their places in ``smiles``.
    """
    chunks = [smiles[start : start + _CHUNK] for start in range(0, len(smiles), _CHUNK)]
    read = parallel(_read_chunk, chunks, n_jobs=n_jobs, description=None)
    shown = read if description is None else track(read, description, len(smiles), size=len)
    found = [(place, one) for place, one in enumerate(chain.from_iterable(shown)) if one is not None]
    return _join(one for _, one in found), np.array([place for place, _ in found], dtype=np.int64)


def _read_chunk(smiles: Sequence[str]) -> list[tuple[Any, ...] | None]:
    from rdkit import rdBase

    with rdBase.BlockLogs():
        return [_read(text) for text in smiles]


def _read(smiles: str) -> tuple[Any, ...] | None:
    """Arrays of one molecule; None if it is invalid."""
    if (mol := read_short(smiles)) is None:
        return None
    atoms = np.array([_atom(atom) for atom in mol.GetAtoms()], dtype=np.int16)
    atoms[:, 0] = _ELEMENT_CODE[atoms[:, 0]]
    atoms = np.clip(atoms, 0, np.array(_SIZES) - 1) + _STARTS
    bonds = np.array([_bond(bond) for bond in mol.GetBonds()], dtype=np.int16).reshape(-1, 6)
    codes = np.clip(bonds[:, 2:], 0, np.array(_BOND_SIZES) - 1) + _BOND_STARTS
    counted = _counter().GetCountFingerprintAsNumPy(mol)
    return (
        atoms.astype(np.int16),
        codes.astype(np.int16),
        bonds[:, :2],
        _describe(mol),
        np.minimum(counted, _MAX_COUNT).astype(np.uint8),
        morgan(mol),
    )


def _atom(atom: Any) -> tuple[int, ...]:
    return (
        atom.GetAtomicNum(),
        atom.GetTotalDegree(),
        atom.GetFormalCharge() + 3,
        int(atom.GetChiralTag()),
        atom.GetTotalNumHs(),
        int(atom.GetHybridization()),
        atom.GetIsAromatic(),
        atom.IsInRing(),
    )


def _bond(bond: Any) -> tuple[int, ...]:
    return (
        bond.GetBeginAtomIdx(),
        bond.GetEndAtomIdx(),
        _ORDERS.get(bond.GetBondTypeAsDouble(), 4),
        bond.GetIsConjugated(),
        bond.IsInRing(),
        int(bond.GetStereo()),
    )


def _describe(mol: Any) -> npt.NDArray[np.float32]:
    """RDKit's descriptors that are computed in C++: 43 named properties, surface areas binned, counts (MQN)."""
    from rdkit.Chem import rdMolDescriptors

    values = [
        *_properties().ComputeProperties(mol),
        *rdMolDescriptors.SlogP_VSA_(mol),
        *rdMolDescriptors.SMR_VSA_(mol),
        *rdMolDescriptors.PEOE_VSA_(mol),
        *rdMolDescriptors.MQNs_(mol),
    ]
    return np.nan_to_num(np.array(values)).clip(-_MAX_DESCRIPTOR, _MAX_DESCRIPTOR).astype(np.float32)


@cache
def _properties() -> Any:
    from rdkit.Chem import rdMolDescriptors

    return rdMolDescriptors.Properties()


@cache
def _counter() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=N_COUNTED)


def _join(molecules: Iterable[tuple[Any, ...]]) -> MoleculeFeatures:
    columns = list(zip(*molecules, strict=True)) or [() for _ in range(6)]
    atoms, bonds, ends, descriptors, counts, fingerprints = columns
    return MoleculeFeatures(
        n_atoms=np.array([len(one) for one in atoms], dtype=np.int64),
        n_bonds=np.array([len(one) for one in bonds], dtype=np.int64),
        atoms=_stack(np.concatenate, atoms, (0, len(_SIZES)), np.int16),
        bonds=_stack(np.concatenate, bonds, (0, len(_BOND_SIZES)), np.int16),
        ends=_stack(np.concatenate, ends, (0, 2), np.int16),
        descriptors=_stack(np.stack, descriptors, (0, N_DESCRIPTORS), np.float32),
        counts=_stack(np.stack, counts, (0, N_COUNTED), np.uint8),
        fingerprints=unpack_bytes(list(fingerprints)),
    )


def _stack(how: Any, arrays: Sequence[Any], shape: tuple[int, int], kind: Any) -> Any:
    """The arrays in one; an empty one of ``shape`` where there is none."""
    return how(arrays) if len(arrays) else np.zeros(shape, dtype=kind)
