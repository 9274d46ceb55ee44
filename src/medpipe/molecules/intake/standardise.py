"""Bringing a molecule into the shape that was asked for: fragments, isotopes, charges, stereo.

Each step is one of RDKit's (``rdMolStandardize`` is the MolVS rules in C++).
"""

from functools import cache

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

from medpipe.molecules.intake.params import IngestSmilesParams


def standardise(molecule: Chem.Mol, params: IngestSmilesParams) -> Chem.Mol:
    """The molecule as its parameters want it; the same object where nothing has to change."""
    changed = molecule
    if params.fragments == "largest" and len(Chem.GetMolFrags(molecule)) > 1:
        changed = _fragment_chooser().choose(changed)
    if params.isotopes == "remove" and has_isotopes(changed):
        changed = _without_isotopes(changed)
    if params.charges == "neutralise" and changed.HasSubstructMatch(_query("[!+0]")):
        changed = _uncharger().uncharge(changed)
    if changed is not molecule:
        # Read once more: what a step left behind (hydrogens as atoms, ring marks) is gone.
        changed = Chem.MolFromSmiles(Chem.MolToSmiles(changed))
        if changed is None:
            raise ValueError("what the standardisation leaves of it cannot be read")
    if params.stereo == "remove":
        Chem.RemoveStereochemistry(changed)
    return changed


def has_isotopes(molecule: Chem.Mol) -> bool:
    """Whether an atom is marked as an isotope."""
    return bool(molecule.HasSubstructMatch(_query("[!0*]")))


def _without_isotopes(molecule: Chem.Mol) -> Chem.Mol:
    plain = Chem.Mol(molecule)
    for atom in plain.GetAtoms():
        atom.SetIsotope(0)
    return plain


@cache
def _query(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


# Both read their tables when they are made, which takes longer than their work on a molecule.
@cache
def _fragment_chooser() -> rdMolStandardize.LargestFragmentChooser:
    return rdMolStandardize.LargestFragmentChooser()


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    return rdMolStandardize.Uncharger()
