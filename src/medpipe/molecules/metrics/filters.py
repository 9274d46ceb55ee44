"""MOSES's filters: which molecules a medicinal chemist would keep."""

import re
from functools import cache
from typing import Any

from medpipe.molecules.metrics.alerts import moses_alerts
from medpipe.molecules.metrics.patterns import Features, PatternScreen

ALLOWED_ELEMENTS = frozenset({1, 6, 7, 8, 9, 16, 17, 35})  # H C N O F S Cl Br
LARGEST_RING = 7
_STEREO_OR_ISOTOPE = re.compile(r"[@/\\]|\[\d")


@cache
def _alerts() -> PatternScreen:
    return PatternScreen.from_smarts(moses_alerts().values())


def passes_filters(mol: Any, features: Features, canonical: str) -> bool:
    """Whether a molecule passes the filters of MOSES (``mol_passes_filters`` of molsets 0.3.1).

    It must have no ring of 8 or more atoms, no charged atom, no element but H, C, N, O, F, S, Cl and Br, none of the
    MCF and PAINS alerts, and its SMILES without stereo marks must be readable.

    Args:
        mol: RDKit molecule.
        features: ``count_features(mol)``.
        canonical: A canonical SMILES string of ``mol`` that is known to be readable.
    """
    from rdkit import Chem

    if any(len(ring) > LARGEST_RING for ring in mol.GetRingInfo().AtomRings()):
        return False
    if any(kind == "charge" or (kind == "element" and what[0] not in ALLOWED_ELEMENTS) for kind, *what in features):
        return False
    return not _alerts().matches_any(Chem.AddHs(mol), features) and _readable_without_stereo(mol, canonical)


def _readable_without_stereo(mol: Any, canonical: str) -> bool:
    from rdkit import Chem

    if not _STEREO_OR_ISOTOPE.search(canonical):
        return True
    return Chem.MolFromSmiles(Chem.MolToSmiles(mol, isomericSmiles=False)) is not None
