"""The two ways of writing a molecule as a line of symbols: SMILES and SELFIES.

A symbol is what the specification calls an atom, a bond, a branch or a ring closure: in SMILES (OpenSMILES,
http://opensmiles.org) a bracket atom or ``Br`` is one, in SELFIES (Krenn et al., Mach. Learn.: Sci. Technol. 1,
045024, 2020) every pair of brackets. Any line of SELFIES symbols is a possible molecule.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NoReturn

from medpipe.core.errors import InputError

Notation = Literal["smiles", "selfies"]

BREAK = "\n"
"""Stands between molecules where many are cut at a time."""
_SYMBOLS = {
    "smiles": r"\[[^\[\]\n]+\]|Br|Cl|->|<-|%\(\d+\)|%\d\d|[BCNOPSFIbcnops0-9().=#$:~*@/\\+-]",
    "selfies": r"\[[^\[\]\n]+\]|\.",
}
_SYMBOL = {notation: re.compile(pattern) for notation, pattern in _SYMBOLS.items()}
_SYMBOL_OR_BREAK = {notation: re.compile(f"{pattern}|{BREAK}") for notation, pattern in _SYMBOLS.items()}
_CHUNK = 10_000
_RISKY = re.compile(r"[\[/\\%]")
"""Without charges, isotopes, hydrogens by number and stereo marks, SELFIES gave back each molecule of MOSES."""


def split_symbols(text: str, notation: Notation = "smiles") -> list[str]:
    """Cut a text into its symbols.

    Raises:
        InputError: A character belongs to no symbol; the message names it and where it stands.
    """
    symbols = _SYMBOL[notation].findall(text)
    if sum(map(len, symbols)) != len(text):
        _name_unknown_character(text, notation)
    return symbols


def split_many(texts: Sequence[str], notation: Notation = "smiles") -> Iterator[list[str]]:
    """Symbols of many molecules at a time, a break after each molecule: far faster than one by one."""
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        text = BREAK.join(chunk) + BREAK
        symbols = _SYMBOL_OR_BREAK[notation].findall(text)
        if sum(map(len, symbols)) != len(text) or text.count(BREAK) != len(chunk):
            for one in chunk:
                split_symbols(one, notation)
        yield symbols


def _name_unknown_character(text: str, notation: Notation) -> NoReturn:
    position = 0
    while match := _SYMBOL[notation].match(text, position):
        position = match.end()
    raise InputError(
        f"{notation.upper()} {text[:80]!r}: character {text[position]!r} at position {position + 1} starts no symbol; "
        "expected an atom, a bond, a branch or a ring closure. Clean the molecules with ingest_smiles first."
    )


def write_symbols(smiles: str, notation: Notation) -> str:
    """A molecule in a notation.

    Args:
        smiles: The molecule; SMILES stay as they are, in their order of atoms and ring closures.
        notation: What to write.

    Raises:
        InputError: SELFIES cannot write it, or would give back another molecule.
    """
    if notation == "smiles":
        return smiles
    import selfies

    try:
        text = str(selfies.encoder(smiles))
    except selfies.EncoderError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"SMILES {smiles[:80]!r}: SELFIES cannot write it ({reason[:200]}).") from None
    if _RISKY.search(smiles) and _canonical(smiles) != (returned := _canonical(read_symbols(text, notation))):
        raise InputError(f"SMILES {smiles[:80]!r}: SELFIES would give back another molecule, {returned[:80]!r}.")
    return text


def read_symbols(text: str, notation: Notation) -> str:
    """Inverse of ``write_symbols``: a SMILES string, for SELFIES with kekulised rings."""
    if notation == "smiles":
        return text
    import selfies

    return str(selfies.decoder(text))


def _canonical(smiles: str) -> str:
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles)
    return Chem.MolToSmiles(molecule) if molecule is not None else ""
