"""What can be said of one molecule; each thing is computed at most once, however many aims need it."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from medpipe.molecules.metrics.filters import passes_filters
from medpipe.molecules.metrics.patterns import Features, count_features
from medpipe.molecules.metrics.properties import drug_likeness, synthetic_accessibility
from medpipe.molecules.metrics.validity import read_short
from medpipe.molecules.optimisation.params import PatternParams, SimilarityParams

FINGERPRINT_RADIUS = 2
FINGERPRINT_BITS = 2048
"""As in Jin et al., "Learning Multimodal Graph-to-Graph Translation for Molecular Optimization" (ICLR 2019)."""

_ZINC_LOG_P = (2.4570953396190123, 1.434324401111988)
_ZINC_MINUS_SA = (-3.0525811293166134, 0.8335207024513095)
_ZINC_MINUS_LONG_RING = (-0.0485696876403053, 0.2860212110245455)
"""Mean and standard deviation over the 250,000 molecules of ZINC that the literature normalises penalised logP with."""
_LONG_RING = 6


class Molecule:
    """A parsed molecule.

    Args:
        mol: RDKit molecule.
        smiles: Its canonical SMILES.
    """

    def __init__(self, mol: Any, smiles: str) -> None:
        self.mol, self.smiles = mol, smiles

    @cached_property
    def features(self) -> Features:
        """Counts of atoms and bonds."""
        return count_features(self.mol)

    @cached_property
    def log_p(self) -> float:
        """Crippen's logP."""
        from rdkit.Chem import rdMolDescriptors

        return float(rdMolDescriptors.CalcCrippenDescriptors(self.mol)[0])

    @cached_property
    def weight(self) -> float:
        """Weight in g/mol."""
        from rdkit.Chem import rdMolDescriptors

        return float(rdMolDescriptors._CalcMolWt(self.mol))

    @cached_property
    def sa(self) -> float:
        """Synthetic accessibility, 1 to 10 (Ertl and Schuffenhauer, J. Cheminf. 1, 8, 2009)."""
        return synthetic_accessibility(self.mol)

    @cached_property
    def fingerprint(self) -> Any:
        """Morgan fingerprint, RDKit's bit vector."""
        return _fingerprints().GetFingerprint(self.mol)

    def qed(self) -> float:
        """Drug-likeness (Bickerton et al., Nature Chemistry 4, 90, 2012)."""
        return drug_likeness(self.mol, self.features, self.log_p, self.weight)

    def penalised_log_p(self) -> float:
        """Crippen's logP less SA and long rings, each normalised (Jin et al., ICML 2018; constants of 2019).

        Rings are RDKit's smallest ones; a cycle basis as the literature's code takes it depends on the order of atoms.
        """
        longest = max(map(len, self.mol.GetRingInfo().AtomRings()), default=0)
        terms = (self.log_p, -self.sa, -max(0, longest - _LONG_RING))
        norms = (_ZINC_LOG_P, _ZINC_MINUS_SA, _ZINC_MINUS_LONG_RING)
        return sum((term - mean) / sd for term, (mean, sd) in zip(terms, norms, strict=True))

    def passes_moses_filters(self) -> float:
        """1 where MOSES's filters let it pass, else 0."""
        return float(passes_filters(self.mol, self.features, self.smiles))


Measure = Callable[[Molecule], float]


def read(smiles: str) -> Molecule | None:
    """The molecule of a string; None where it is none."""
    from rdkit import Chem

    mol = read_short(smiles)
    return None if mol is None else Molecule(mol, str(Chem.MolToSmiles(mol)))


def descriptors() -> Mapping[str, Measure]:
    """The measures of ``params.Descriptor``, by kind."""
    from rdkit.Chem import rdMolDescriptors as rdkit

    return {
        "qed": Molecule.qed,
        "sa": lambda one: one.sa,
        "log_p": lambda one: one.log_p,
        "penalised_log_p": Molecule.penalised_log_p,
        "weight": lambda one: one.weight,
        "tpsa": lambda one: rdkit.CalcTPSA(one.mol),
        "h_bond_donors": lambda one: rdkit.CalcNumHBD(one.mol),
        "h_bond_acceptors": lambda one: rdkit.CalcNumHBA(one.mol),
        "rotatable_bonds": lambda one: rdkit.CalcNumRotatableBonds(one.mol),
        "rings": lambda one: rdkit.CalcNumRings(one.mol),
        "aromatic_rings": lambda one: rdkit.CalcNumAromaticRings(one.mol),
        "heavy_atoms": lambda one: one.mol.GetNumHeavyAtoms(),
        "moses_filters": Molecule.passes_moses_filters,
    }


def similarity_to(params: SimilarityParams) -> Measure:
    """Highest similarity to any of the given molecules."""
    from rdkit import DataStructs

    given = [one.fingerprint for one in map(read, params.smiles) if one is not None]
    return lambda one: max(DataStructs.BulkTanimotoSimilarity(one.fingerprint, given))


def pattern_verdict(params: PatternParams) -> Measure:
    """1 where no alert, or every required substructure, is found; else 0."""
    from rdkit import Chem

    patterns = [Chem.MolFromSmarts(text) for text in params.smarts]
    if params.kind == "required":
        return lambda one: float(all(one.mol.HasSubstructMatch(pattern) for pattern in patterns))
    return lambda one: float(not any(one.mol.HasSubstructMatch(pattern) for pattern in patterns))


@cache
def _fingerprints() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=FINGERPRINT_RADIUS, fpSize=FINGERPRINT_BITS)
