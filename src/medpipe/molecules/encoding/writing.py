"""The texts of molecules: in their notation, and for training in several random orders of atoms."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.notation import write_symbols
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.tokens import Vocabulary


class Molecules(NamedTuple):
    """Some rows of the table of molecules.

    Attributes:
        first: Number of the first row.
        smiles: The molecules.
        in_train: Whether each is in train.
    """

    first: int
    smiles: list[str]
    in_train: list[bool]


class Written(NamedTuple):
    """The texts of some molecules, cut into symbols.

    Attributes:
        n: Molecules, refused ones among them.
        alphabet: Symbols of these texts alone.
        letters: (n,) places in ``alphabet``, all texts end to end.
        borders: (texts + 1,) where each text starts.
        molecules: (texts,) row of the molecule that each text writes.
        refused: Why a molecule could not be written; it has no text.
    """

    n: int
    alphabet: tuple[str, ...]
    letters: npt.NDArray[np.uint16]
    borders: npt.NDArray[np.int64]
    molecules: npt.NDArray[np.int32]
    refused: list[str]


def write_many(molecules: Molecules, params: EncodeParams) -> Written:
    """Write molecules: the canonical text first, then the random ones."""
    texts: list[str] = []
    rows: list[int] = []
    refused: list[str] = []
    for row, (smiles, in_train) in enumerate(zip(molecules.smiles, molecules.in_train, strict=True), molecules.first):
        writings = [smiles]
        try:
            if in_train and params.n_random:
                writings += random_writings(smiles, params.n_random, np.random.default_rng([params.seed, row]))
            written = [write_symbols(writing, params.notation) for writing in writings]
        except InputError as error:
            refused.append(str(error))
            continue
        texts += written
        rows += [row] * len(written)
    vocabulary = Vocabulary.learn_texts(texts, params.notation)
    ids, borders = vocabulary.encode_texts(texts)
    letters = (ids - vocabulary.first_letter).astype(np.uint16)
    return Written(len(molecules.smiles), vocabulary.alphabet, letters, borders, np.array(rows, np.int32), refused)


def random_writings(smiles: str, n: int, random: np.random.Generator) -> list[str]:
    """SMILES strings of a molecule, each in a random order of its atoms.

    The order is drawn, then RDKit writes the molecule as it would any other with this order ("restricted" in
    Arús-Pous et al., 2019: better there than the unrestricted walk); two may be equal.

    Raises:
        InputError: It is not SMILES.
    """
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError(f"SMILES {smiles[:80]!r}: RDKit cannot read it. Clean the molecules with ingest_smiles first.")
    orders = (random.permutation(molecule.GetNumAtoms()).tolist() for _ in range(n))
    return [Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False) for order in orders]
