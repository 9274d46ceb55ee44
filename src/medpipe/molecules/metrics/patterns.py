"""Substructure search with many patterns at once, with the verdicts of trying each.

Trying 500 SMARTS on a molecule takes 10 ms, and nearly all of them cannot match because the molecule lacks an atom or a
bond they need. What a pattern needs is read off its query atoms and bonds once: a match maps different query atoms to
different atoms, so a molecule with fewer atoms of an element (or bonds between two elements) than the pattern names can
never match. Only what passes this comparison of counts is searched for. Whatever cannot be read with certainty (lists,
wildcards, recursive SMARTS, negations) counts as no need, so the screen never refuses a true match.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

_CONDITION = re.compile(r"^( *)(AtomType|AtomAtomicNum|BondOrder|AtomFormalCharge) (-?\d+) = val$")
_AROMATIC_TYPE = 1000  # RDKit's AtomType: atomic number + 1000 for an aromatic atom
_DOUBLE, _TRIPLE = 2, 3
_HYDROGEN = 1
_SMALL_RING = 5  # rings up to this size are told apart: larger ones are too common to exclude anything

Feature = tuple[str | float, ...]
Features = dict[Feature, int]


class PatternScreen:
    """Many SMARTS patterns with the least counts of atoms and bonds that each needs.

    Attributes:
        patterns: The patterns as RDKit molecules, in the order given.
    """

    def __init__(self, patterns: Iterable[Any]) -> None:
        self.patterns = list(patterns)
        needs = [_needs(pattern) for pattern in self.patterns]
        self._columns = {feature: i for i, feature in enumerate(sorted(set().union(*needs), key=str))}
        self._least = np.zeros((len(needs), len(self._columns)), dtype=np.int16)
        for row, need in zip(self._least, needs, strict=True):
            for feature, count in need.items():
                row[self._columns[feature]] = count

    @classmethod
    def from_smarts(cls, smarts: Iterable[str]) -> "PatternScreen":
        """Reads SMARTS strings.

        Raises:
            ValueError: If RDKit cannot read one; the message names it.
        """
        from rdkit import Chem

        patterns = []
        for text in smarts:
            if (pattern := Chem.MolFromSmarts(text)) is None:
                raise ValueError(f"not a SMARTS pattern: {text!r}")
            patterns.append(pattern)
        return cls(patterns)

    def candidates(self, features: Features) -> Iterator[Any]:
        """The patterns for which a molecule has enough atoms and bonds, in order."""
        has = [features.get(feature, 0) for feature in self._columns]
        for i in np.flatnonzero((self._least <= np.array(has, dtype=np.int16)).all(axis=1)):
            yield self.patterns[i]

    def matches_any(self, mol: Any, features: Features | None = None) -> bool:
        """Whether at least one pattern is a substructure of ``mol``.

        Args:
            mol: RDKit molecule.
            features: Its counts by ``count_features``; counted if not given.
        """
        return any(mol.HasSubstructMatch(pattern) for pattern in self.candidates(features or count_features(mol)))

    def count(self, mol: Any, features: Features | None = None) -> int:
        """Number of patterns that are substructures of ``mol``; arguments as in ``matches_any``."""
        return sum(mol.HasSubstructMatch(pattern) for pattern in self.candidates(features or count_features(mol)))


def count_features(mol: Any) -> Features:
    """Counts what patterns may need in a molecule: elements, bonds by their two elements, hydrogens on an atom.

    All hydrogens count, those that are no atoms of ``mol``, too: the counts are those of ``Chem.AddHs(mol)``.
    """
    # By index: RDKit's iterators of atoms and bonds are several times slower.
    atom_list = map(mol.GetAtomWithIdx, range(mol.GetNumAtoms()))
    bond_list = map(mol.GetBondWithIdx, range(mol.GetNumBonds()))
    atoms = [
        (atom.GetAtomicNum(), atom.GetIsAromatic(), atom.GetFormalCharge(), atom.GetTotalNumHs()) for atom in atom_list
    ]
    numbers = [number for number, _, _, _ in atoms]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondTypeAsDouble()) for bond in bond_list]
    links = Counter((numbers[first], numbers[second], order) for first, second, order in bonds)
    found = Counter[Feature]()
    hydrogens = Counter({i: attached for i, (_, _, _, attached) in enumerate(atoms) if attached})
    for (number, aromatic, charge, attached), count in Counter(atoms).items():
        for feature in _atom_features(number, aromatic, charge):
            found[feature] += count
        if attached:
            for feature in (*_atom_features(_HYDROGEN, False, 0), *_bond_features(_HYDROGEN, number, 1.0)):
                found[feature] += attached * count
    for (first, second, order), count in links.items():
        for feature in _bond_features(first, second, order):
            found[feature] += count
    if _HYDROGEN in numbers:
        hydrogens += _hydrogen_atoms(numbers, [(first, second) for first, second, _ in bonds])
    _add_hydrogens(found, numbers, hydrogens)
    for ring in mol.GetRingInfo().AtomRings():
        for size in range(len(ring), _SMALL_RING + 1):
            found["ring", size] += 1
    return found


def _atom_features(number: int, aromatic: bool | None, charge: int | None) -> list[Feature]:
    """Features of an atom; None where a query leaves aromaticity or charge open."""
    features: list[Feature] = [("element", number)]
    if aromatic is not None:
        features.append(("type", number, int(aromatic)))
    if charge:
        features.append(("charge", number, charge))
    return features


def _bond_features(first: int, second: int, order: float | None) -> list[Feature]:
    """Features of a bond between two elements; double and triple bonds are told apart from the rest."""
    low, high = sorted((first, second))
    ordered: list[Feature] = [("order", low, high, order)] if order in (_DOUBLE, _TRIPLE) else []
    return [("bond", low, high), *ordered]


def _hydrogen_atoms(numbers: list[int | None], bonds: list[tuple[int, int]]) -> Counter[int]:
    """How many hydrogens that are atoms of their own each atom is bound to."""
    return Counter(heavy for ends in bonds for hydrogen, heavy in (ends, ends[::-1]) if numbers[hydrogen] == _HYDROGEN)


def _add_hydrogens(found: Counter[Feature], numbers: list[int | None], hydrogens: Counter[int]) -> None:
    """Counts, for each element, the atoms with at least k hydrogens as neighbours."""
    for (number, attached), count in Counter((numbers[atom], n) for atom, n in hydrogens.items()).items():
        if number is not None:
            for k in range(1, attached + 1):
                found["hydrogens", number, k] += count


def _needs(pattern: Any) -> Counter[Feature]:
    """How often each feature must occur in a molecule that ``pattern`` matches."""
    numbers: list[int | None] = []
    needed = Counter[Feature]()
    for atom in pattern.GetAtoms():
        number, aromatic, charge = _query_atom(atom)
        numbers.append(number)
        if number is not None:
            needed.update(_atom_features(number, aromatic, charge))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond) for bond in pattern.GetBonds()]
    for begin, end, bond in bonds:
        first, second = numbers[begin], numbers[end]
        if first is not None and second is not None:
            needed.update(_bond_features(first, second, _certain(bond).get("BondOrder")))
    _add_hydrogens(needed, numbers, _hydrogen_atoms(numbers, [(begin, end) for begin, end, _ in bonds]))
    if (size := _smallest_ring(pattern)) <= _SMALL_RING:
        needed["ring", size] = 1
    return needed


def _smallest_ring(pattern: Any) -> int:
    """Size of the pattern's smallest cycle: the molecule then has a ring of that size or smaller."""
    from rdkit import Chem

    Chem.FastFindRings(pattern)
    return min(map(len, Chem.GetSymmSSSR(pattern)), default=_SMALL_RING + 1)


def _query_atom(atom: Any) -> tuple[int | None, bool | None, int | None]:
    """Atomic number, aromaticity and charge that a query atom demands; None where it leaves them open."""
    certain = _certain(atom)
    charge = certain.get("AtomFormalCharge")
    if (kind := certain.get("AtomType")) is not None:
        return kind % _AROMATIC_TYPE, kind >= _AROMATIC_TYPE, charge
    return certain.get("AtomAtomicNum"), None, charge


def _certain(query: Any) -> dict[str, int]:
    """What a query atom or bond demands for certain: its only condition, or conditions joined by "and" at the top."""
    lines = query.DescribeQuery().splitlines()
    joined = lines[0] in ("AtomAnd", "BondAnd")
    found = {}
    for line in lines:
        if (match := _CONDITION.match(line)) and len(match[1]) == (2 if joined else 0):
            found[match[2]] = int(match[3])
    return found
