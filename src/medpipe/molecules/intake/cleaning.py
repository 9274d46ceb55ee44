"""One raw text to one canonical SMILES, or the reason why not."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from medpipe.molecules.intake.params import IngestSmilesParams, Range
from medpipe.molecules.intake.standardise import has_isotopes, standardise

Form = Literal["smiles", "mol_block"]

SHOWN_CHARACTERS = 200
"""So much of a rejected text is kept for the table of rejects."""
_ANY_BOND = "~"
_RAW_LENGTH_ALLOWANCE = 4
"""A raw SMILES may be this many times longer than the canonical one (explicit hydrogens, salts); RDKit gets no more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one raw text.

    Attributes:
        smiles: Canonical SMILES; empty if it was rejected.
        code: Reason in one word; empty if it was taken.
        reason: Reason as a sentence.
        scaffold: Canonical Murcko scaffold (Bemis and Murcko, 1996), where it was asked for.
    """

    smiles: str
    code: str = ""
    reason: str = ""
    scaffold: str = ""


def clean_many(
    texts: list[str], params: IngestSmilesParams, with_scaffold: bool = False, form: Form = "smiles"
) -> list[Verdict]:
    """Judge texts in order, RDKit's own log kept quiet."""
    with rdBase.BlockLogs():
        return [clean(text, params, with_scaffold, form) for text in texts]


def clean(text: str, params: IngestSmilesParams, with_scaffold: bool = False, form: Form = "smiles") -> Verdict:
    """Judge one text.

    Args:
        text: As it stood in the file.
        params: What is allowed.
        with_scaffold: Whether the Murcko scaffold is worked out too.
        form: What the text is: SMILES, or the mol block of an SDF file.
    """
    if form == "smiles":
        text = text.strip()
        if rejected := _judge_text(text, params):
            return rejected
    try:
        molecule = Chem.MolFromSmiles(text) if form == "smiles" else Chem.MolFromMolBlock(text)
        if molecule is None:
            return Verdict("", "not_parsable", _why_not_parsable(text, form))
        molecule = standardise(molecule, params)
        smiles = Chem.MolToSmiles(molecule)
    except (RuntimeError, ValueError) as error:
        return Verdict("", "not_parsable", f"RDKit failed on it: {str(error).splitlines()[0][:SHOWN_CHARACTERS]}")
    if rejected := _judge_molecule(molecule, smiles, params):
        return rejected
    scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) if with_scaffold else ""
    return Verdict(smiles, scaffold=scaffold)


def shown(text: str, form: Form) -> str:
    """What a table of rejects shows of a text: its start, of a mol block its name."""
    start = text[:SHOWN_CHARACTERS]
    return start if form == "smiles" else start.partition("\n")[0].strip()


def _judge_text(text: str, params: IngestSmilesParams) -> Verdict | None:
    if not text:
        return Verdict("", "empty", "There is no SMILES in this line.")
    most = _RAW_LENGTH_ALLOWANCE * params.max_length
    if len(text) > most:
        return Verdict("", "too_long", f"The text has {len(text)} characters or more; at most {most} are read.")
    if not (text.isascii() and text.isprintable()) or " " in text:
        odd = next(c for c in text if not ("!" <= c <= "~"))
        return Verdict("", "bad_character", f"Character {odd!r} cannot stand in a SMILES.")
    return None


def _judge_molecule(molecule: Chem.Mol, smiles: str, params: IngestSmilesParams) -> Verdict | None:
    if molecule.GetNumAtoms() == 0:
        return Verdict("", "empty", "It has no atoms.")
    if _ANY_BOND in smiles:
        return Verdict("", "any_bond", "It has a bond of any order (~), as a query has; a molecule has none.")
    if "." in smiles and params.fragments == "refuse":
        return Verdict("", "several_fragments", "It is a salt or mixture (a dot); fragments is 'refuse'.")
    if len(smiles) > params.max_length:
        return Verdict(
            "", "too_long", f"Its canonical SMILES has {len(smiles)} characters; max_length is {params.max_length}."
        )
    found = molecule.GetSubstructMatch(_other_elements(params.allowed_elements))
    if found:
        symbol = molecule.GetAtomWithIdx(found[0]).GetSymbol()
        allowed = ", ".join(params.allowed_elements)
        return Verdict("", "disallowed_atom", f"It contains {symbol}; allowed_elements are {allowed}.")
    if params.isotopes == "refuse" and has_isotopes(molecule):
        return Verdict("", "isotope", "An atom is marked as an isotope; isotopes is 'refuse'.")
    if params.charges == "refuse" and (charge := Chem.GetFormalCharge(molecule)):
        return Verdict("", "charged", f"It has the net charge {charge:+d}; charges is 'refuse'.")
    return _judge_size(molecule, params) or _judge_alerts(molecule, smiles, params)


def _judge_size(molecule: Chem.Mol, params: IngestSmilesParams) -> Verdict | None:
    if outside := _outside(molecule.GetNumHeavyAtoms(), params.heavy_atoms):
        return Verdict("", "size", f"It has {molecule.GetNumHeavyAtoms()} heavy atoms, {outside} of heavy_atoms.")
    if params.weight_da != (None, None):
        weight = rdMolDescriptors._CalcMolWt(molecule)
        if outside := _outside(weight, params.weight_da):
            return Verdict("", "weight", f"It weighs {weight:.1f} Da, {outside} of weight_da.")
    return None


def _outside(value: float, bounds: Range) -> str:
    low, high = bounds
    if low is not None and value < low:
        return f"below the bound {low:g}"
    return f"above the bound {high:g}" if high is not None and value > high else ""


def _judge_alerts(molecule: Chem.Mol, smiles: str, params: IngestSmilesParams) -> Verdict | None:
    if not params.moses_filters:
        return None
    from medpipe.molecules.metrics.filters import passes_filters
    from medpipe.molecules.metrics.patterns import count_features

    if passes_filters(molecule, count_features(molecule), smiles):
        return None
    return Verdict("", "moses_filters", "It does not pass the filters of MOSES (charges, rings, MCF, PAINS).")


@cache
def _other_elements(allowed: tuple[str, ...]) -> Chem.Mol:
    """A query for an atom of another element; ten times faster than asking each atom for its symbol."""
    table = Chem.GetPeriodicTable()
    return Chem.MolFromSmarts(f"[{';'.join(f'!#{table.GetAtomicNumber(symbol)}' for symbol in allowed)}]")


def _why_not_parsable(text: str, form: Form) -> str:
    read = Chem.MolFromSmiles if form == "smiles" else Chem.MolFromMolBlock
    molecule = read(text, sanitize=False)
    if molecule is None:
        return f"It is no {'SMILES' if form == 'smiles' else 'mol block'}: RDKit's parser refuses it."
    problems = Chem.DetectChemistryProblems(molecule)
    return f"It is no possible molecule: {problems[0].Message()}." if problems else "RDKit refuses it."
