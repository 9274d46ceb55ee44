"""One raw text to one canonical SMILES, or the reason why not."""

from dataclasses import dataclass
from functools import cache

from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from medpipe.molecules.intake.params import IngestSmilesParams

SHOWN_CHARACTERS = 200
"""So much of a rejected text is kept for the table of rejects."""
_RAW_LENGTH_ALLOWANCE = 4
"""A raw SMILES may be this many times longer than the canonical one (explicit hydrogens); RDKit gets no more."""


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


def clean_many(texts: list[str], params: IngestSmilesParams, with_scaffold: bool = False) -> list[Verdict]:
    """Judge texts in order, RDKit's own log kept quiet."""
    with rdBase.BlockLogs():
        return [clean(text, params, with_scaffold) for text in texts]


def clean(text: str, params: IngestSmilesParams, with_scaffold: bool = False) -> Verdict:
    """Judge one text.

    Args:
        text: As it stood in the file.
        params: What is allowed.
        with_scaffold: Whether the Murcko scaffold is worked out too.
    """
    text = text.strip()
    if rejected := _judge_text(text, params):
        return rejected
    try:
        molecule = Chem.MolFromSmiles(text)
        if molecule is None:
            return Verdict("", "not_parsable", _why_not_parsable(text))
        if params.stereo == "remove":
            Chem.RemoveStereochemistry(molecule)
        smiles = Chem.MolToSmiles(molecule)
    except (RuntimeError, ValueError) as error:
        return Verdict("", "not_parsable", f"RDKit failed on it: {str(error).splitlines()[0][:SHOWN_CHARACTERS]}")
    if rejected := _judge_molecule(molecule, smiles, params):
        return rejected
    scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) if with_scaffold else ""
    return Verdict(smiles, scaffold=scaffold)


def _judge_text(text: str, params: IngestSmilesParams) -> Verdict | None:
    if not text:
        return Verdict("", "empty", "There is no SMILES in this line.")
    most = _RAW_LENGTH_ALLOWANCE * params.max_length
    if len(text) > most:
        return Verdict("", "too_long", f"The text has {len(text)} characters or more; at most {most} are read.")
    if not (text.isascii() and text.isprintable()) or " " in text:
        odd = next(c for c in text if not ("!" <= c <= "~"))
        return Verdict("", "bad_character", f"Character {odd!r} cannot stand in a SMILES.")
    if "." in text and not params.allow_fragments:
        return Verdict("", "several_fragments", "It is a salt or mixture (a dot); allow_fragments is off.")
    return None


def _judge_molecule(molecule: Chem.Mol, smiles: str, params: IngestSmilesParams) -> Verdict | None:
    if molecule.GetNumAtoms() == 0:
        return Verdict("", "empty", "It has no atoms.")
    if len(smiles) > params.max_length:
        return Verdict(
            "", "too_long", f"Its canonical SMILES has {len(smiles)} characters; max_length is {params.max_length}."
        )
    found = molecule.GetSubstructMatch(_other_elements(params.allowed_elements))
    if found:
        symbol = molecule.GetAtomWithIdx(found[0]).GetSymbol()
        allowed = ", ".join(params.allowed_elements)
        return Verdict("", "disallowed_atom", f"It contains {symbol}; allowed_elements are {allowed}.")
    return None


@cache
def _other_elements(allowed: tuple[str, ...]) -> Chem.Mol:
    """A query for an atom of another element; ten times faster than asking each atom for its symbol."""
    table = Chem.GetPeriodicTable()
    return Chem.MolFromSmarts(f"[{';'.join(f'!#{table.GetAtomicNumber(symbol)}' for symbol in allowed)}]")


def _why_not_parsable(text: str) -> str:
    molecule = Chem.MolFromSmiles(text, sanitize=False)
    if molecule is None:
        return "It is not SMILES: RDKit's parser refuses it."
    problems = Chem.DetectChemistryProblems(molecule)
    return f"It is no possible molecule: {problems[0].Message()}." if problems else "RDKit refuses it."
