"""Bringing a molecule into the shape that was asked for: fragments, isotopes, charges, stereo.

Each step is one of RDKit's (``rdMolStandardize`` is the MolVS rules in C++).
"""

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

from medpipe.molecules.intake.params import IngestSmilesParams


def standardise(molecule: Chem.Mol, params: IngestSmilesParams) -> Chem.Mol:
    """The molecule as its parameters want it; the same object where nothing has to change."""
    changed = molecule
    if params.fragments == "largest" and len(Chem.GetMolFrags(molecule)) > 1:
        changed = rdMolStandardize.LargestFragmentChooser().choose(changed)
    if params.isotopes == "remove" and has_isotopes(changed):
        changed = _without_isotopes(changed)
    if params.charges == "neutralise" and any(atom.GetFormalCharge() for atom in changed.GetAtoms()):
        changed = rdMolStandardize.Uncharger().uncharge(changed)
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
    return any(atom.GetIsotope() for atom in molecule.GetAtoms())


def _without_isotopes(molecule: Chem.Mol) -> Chem.Mol:
    plain = Chem.Mol(molecule)
    for atom in plain.GetAtoms():
        atom.SetIsotope(0)
    return plain
