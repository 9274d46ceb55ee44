"""Molecules as arrays for graph networks: the type of each atom, the order of each bond.

Rings are kekulised: an aromatic ring holds single and double bonds, so the hydrogens of each atom follow from its
bonds and its charge alone (a pyrrole's ``[nH]`` has two single bonds, a pyridine's ``n`` a double one), and reading a
graph back needs no guess. Aromaticity is found again when it is read. A graph knows no stereo, it is dropped.

Shapes: N molecules, A = ``max_atoms``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

PAD_ATOM = 0
NO_BOND = 0
N_BOND_TYPES = 4
"""No bond, single, double, triple: the number is the order of the bond."""

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class GraphAlphabet:
    """The types of atoms a graph can hold.

    Attributes:
        atoms: Element symbol and formal charge; the first has the number ``PAD_ATOM + 1``.
    """

    atoms: tuple[tuple[str, int], ...]

    @classmethod
    def learn(cls, smiles: Iterable[str]) -> "GraphAlphabet":
        """The types of all atoms of ``smiles``, the frequent ones first; unreadable texts have none."""
        from rdkit import rdBase

        found: Counter[tuple[str, int]] = Counter()
        with rdBase.BlockLogs():
            for text in smiles:
                if molecule := _read(text):
                    found.update((atom.GetSymbol(), atom.GetFormalCharge()) for atom in molecule.GetAtoms())
        return cls(tuple(sorted(found, key=lambda kind: (-found[kind], kind))))

    def __len__(self) -> int:
        """Number of types, padding included."""
        return 1 + len(self.atoms)

    @cached_property
    def _queries(self) -> list[tuple[int, Any]]:
        """A query an atom type; asking RDKit for all atoms of a type is faster than asking each atom for its type."""
        from rdkit.Chem import GetPeriodicTable, MolFromSmarts

        number = GetPeriodicTable().GetAtomicNumber
        return [
            (code, MolFromSmarts(f"[#{number(symbol)}{charge:+d}]"))
            for code, (symbol, charge) in enumerate(self.atoms, PAD_ATOM + 1)
        ]

    def types(self, molecule: Any) -> ByteArray:
        """Type of each atom of an RDKit molecule, ``PAD_ATOM`` where it has none, (atoms,)."""
        types = np.full(molecule.GetNumAtoms(), PAD_ATOM, np.uint8)
        for code, query in self._queries:
            types[[index for (index,) in molecule.GetSubstructMatches(query)]] = code
        return types


MOSES_ATOMS = GraphAlphabet((("C", 0), ("N", 0), ("O", 0), ("S", 0), ("F", 0), ("Cl", 0), ("Br", 0)))
"""All that MOSES holds: its filters let no charged atom pass."""


class Graphs(NamedTuple):
    """Molecules as padded arrays.

    Attributes:
        atoms: (N, A) types of atoms, ``PAD_ATOM`` behind the last.
        bonds: (N, A, A) orders of bonds, symmetric, ``NO_BOND`` elsewhere.
        rows: (N,) where each stood among the texts that were given.
        refused: Position of each text that could not be taken, and why.
    """

    atoms: ByteArray
    bonds: ByteArray
    rows: npt.NDArray[np.int64]
    refused: dict[int, str]


def encode_graphs(smiles: Sequence[str], max_atoms: int, alphabet: GraphAlphabet = MOSES_ATOMS) -> Graphs:
    """Molecules as graphs, ``max_atoms`` squared bytes each; what does not fit is refused by name.

    Args:
        smiles: The molecules.
        max_atoms: Heavy atoms at most.
        alphabet: Types of atoms.
    """
    from rdkit import Chem, rdBase

    atoms = np.zeros((len(smiles), max_atoms), np.uint8)
    bonds = np.zeros((len(smiles), max_atoms, max_atoms), np.uint8)
    rows: list[int] = []
    refused: dict[int, str] = {}
    with rdBase.BlockLogs():
        for position, text in enumerate(smiles):
            molecule = _read(text)
            if problem := _problem(molecule, max_atoms):
                refused[position] = f"{text[:80]!r}: {problem}"
                continue
            row, size = len(rows), molecule.GetNumAtoms()
            atoms[row, :size] = alphabet.types(molecule)
            bonds[row, :size, :size] = Chem.GetAdjacencyMatrix(molecule, useBO=True, force=True)
            if problem := _loss(molecule, text, atoms[row], bonds[row], alphabet):
                atoms[row], bonds[row] = PAD_ATOM, NO_BOND
                refused[position] = f"{text[:80]!r}: {problem}"
                continue
            rows.append(position)
    return Graphs(atoms[: len(rows)], bonds[: len(rows)], np.array(rows, np.int64), refused)


def decode_graph(atoms: npt.ArrayLike, bonds: npt.ArrayLike, alphabet: GraphAlphabet = MOSES_ATOMS) -> str:
    """The canonical SMILES of a graph; empty where it is no molecule, nothing is mended.

    A molecule is one connected piece with possible valences and no bond to padding.

    Args:
        atoms: (A,) types; padding may stand anywhere.
        bonds: (A, A) symmetric orders.
        alphabet: What the types mean.
    """
    from rdkit import Chem, rdBase

    types, orders = np.asarray(atoms), np.asarray(bonds)
    present = np.flatnonzero(types != PAD_ATOM)
    inner = orders[np.ix_(present, present)]
    if not len(present) or np.count_nonzero(orders) != np.count_nonzero(inner):
        return ""
    molecule = Chem.RWMol()
    for code in types[present]:
        molecule.AddAtom(_atom(*alphabet.atoms[code - PAD_ATOM - 1]))
    begins, ends = np.nonzero(np.triu(inner, 1))
    for begin, end, order in zip(begins.tolist(), ends.tolist(), inner[begins, ends].tolist(), strict=True):
        molecule.AddBond(begin, end, Chem.BondType.values[order])
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(molecule)
        except ValueError:
            return ""
        text = Chem.MolToSmiles(molecule)
        return "" if "." in text else text


@cache
def _atom(symbol: str, charge: int) -> Any:
    from rdkit.Chem import Atom

    atom = Atom(symbol)
    atom.SetFormalCharge(charge)
    return atom


def _read(text: str) -> Any:
    """Kekulised RDKit molecule without stereo; None if it is none."""
    from rdkit import Chem

    if (molecule := Chem.MolFromSmiles(text)) is None:
        return None
    Chem.RemoveStereochemistry(molecule)
    try:
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    except ValueError:
        return None
    return molecule


def _problem(molecule: Any, max_atoms: int) -> str:
    from rdkit import Chem

    if molecule is None or not (size := molecule.GetNumAtoms()):
        return "it is no molecule"
    if size > max_atoms:
        return f"it has {size} heavy atoms; max_atoms is {max_atoms}"
    if len(Chem.GetMolFrags(molecule)) > 1:
        return "it has several fragments"
    return ""


def _loss(molecule: Any, text: str, atoms: ByteArray, bonds: ByteArray, alphabet: GraphAlphabet) -> str:
    """What of a molecule its graph does not hold."""
    from rdkit import Chem

    unknown = np.flatnonzero(atoms[: molecule.GetNumAtoms()] == PAD_ATOM)
    if len(unknown):
        atom = molecule.GetAtomWithIdx(int(unknown[0]))
        known = ", ".join(_name(symbol, charge) for symbol, charge in alphabet.atoms)
        return f"atom {_name(atom.GetSymbol(), atom.GetFormalCharge())} has no type; there are {known}"
    # Isotopes, radicals and odd numbers of hydrogens stand in brackets, and only there.
    if "[" in text:
        try:
            Chem.SanitizeMol(molecule)
        except ValueError:  # rings that RDKit reads as aromatic and does not find aromatic again
            return "RDKit does not read it the same way twice"
        wanted, got = Chem.MolToSmiles(molecule), decode_graph(atoms, bonds, alphabet)
        if wanted != got:
            return f"its graph would be read as {got!r}"
    return ""


def _name(symbol: str, charge: int) -> str:
    return f"{symbol}{charge:+d}" if charge else symbol
