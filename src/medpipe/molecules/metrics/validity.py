"""Which strings MOSES calls valid, and why the others are not."""

from typing import Any

LONGEST = 2000
"""Characters of the longest string that is read. No small molecule needs as many, and the pairwise distances of the
atoms of an endless line would fill the memory."""

REASONS = {
    "empty": "no atom was written",
    "length": f"more than {LONGEST:,} characters",
    "syntax": "not SMILES: an open ring or branch, or a character out of place",
    "valence": "an atom with more bonds than it can have",
    "aromaticity": "an aromatic ring that has no alternating bonds",
    "other": "RDKit refuses it otherwise",
}
"""Why a string is no molecule, and what that means."""

_OF_PROBLEM = {
    "AtomValenceException": "valence",
    "KekulizeException": "aromaticity",
    "AtomKekulizeException": "aromaticity",
}


def read_short(smiles: str) -> Any:
    """RDKit molecule of a string of at most ``LONGEST`` characters; None where it is none, or has no atom."""
    from rdkit import Chem

    mol = Chem.MolFromSmiles(smiles) if 0 < len(smiles) <= LONGEST else None
    return mol if mol is not None and mol.GetNumAtoms() else None


def read_valid(smiles: str) -> Any:
    """RDKit molecule of a string that MOSES calls valid; None otherwise.

    A valid string is not empty and has at most ``LONGEST`` characters, RDKit parses it, and the molecule passes a
    second sanitization: a few parse, but fail that one.
    """
    from rdkit import Chem

    if (mol := read_short(smiles)) is None:
        return None
    try:
        Chem.SanitizeMol(mol)
    except ValueError:
        return None
    return mol


def canonical_smiles(smiles: str) -> str | None:
    """Canonical SMILES of a valid string, None for others: what is written must be valid in turn.

    The molecule of the canonical SMILES is the one that is measured, so its SMILES is the one that counts.
    """
    from rdkit import Chem

    if (mol := read_valid(smiles)) is None or (again := read_valid(Chem.MolToSmiles(mol))) is None:
        return None
    return str(Chem.MolToSmiles(again))


def invalid_reason(smiles: str) -> str:
    """Why a string that is not valid is none: a key of ``REASONS``, the first problem that RDKit finds."""
    from rdkit import Chem

    if not smiles:
        return "empty"
    if len(smiles) > LONGEST:
        return "length"
    if (mol := Chem.MolFromSmiles(smiles, sanitize=False)) is None:
        return "syntax"
    if mol.GetNumAtoms() == 0:
        return "empty"
    problems = Chem.DetectChemistryProblems(mol)
    return _OF_PROBLEM.get(problems[0].GetType(), "other") if problems else "other"
