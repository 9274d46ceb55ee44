from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.notation import Notation
from medpipe.molecules.encoding.tokens import Vocabulary
from medpipe.molecules.encoding.writing import random_writings


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_writing_of_a_molecule_is_encoded_and_comes_back(molecules: list[str], data: st.DataObject) -> None:
    """The molecule is the same whatever the order of its atoms, the notation and the merges."""
    smiles = data.draw(st.sampled_from(molecules))
    seed = data.draw(st.integers(0, 2**32))
    notation = data.draw(st.sampled_from(get_args(Notation)))
    writings = random_writings(smiles, 3, np.random.default_rng(seed))
    vocabulary = Vocabulary.learn(writings, data.draw(st.integers(0, 20)), notation)
    assert {Chem.CanonSmiles(vocabulary.decode(vocabulary.encode(one))) for one in writings} == {smiles}


def test_writings_differ() -> None:
    assert len(set(random_writings("CC(=O)Oc1ccccc1C(=O)O", 20, np.random.default_rng(0)))) > 15


def test_no_smiles_is_named() -> None:
    with pytest.raises(InputError, match="'hello': RDKit cannot read it"):
        random_writings("hello", 1, np.random.default_rng(0))
