from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.notation import Notation
from medpipe.molecules.encoding.tokens import Vocabulary

LETTERS = ["C", "Cl", "Br", "c", "n", "[nH]", "[C@@H]", "(", ")", "=", "#", "1", "2", "%10", "%(100)", ".", "/", "-"]
texts = st.lists(st.sampled_from(LETTERS), max_size=40).map("".join)


@given(st.lists(texts, min_size=1, max_size=20), st.integers(0, 30))
def test_encoding_is_reversible(smiles: list[str], n_merges: int) -> None:
    vocabulary = Vocabulary.learn(smiles, n_merges)
    ids, borders = vocabulary.encode_many(smiles)
    assert [vocabulary.decode(ids[a:b]) for a, b in pairwise(borders)] == smiles


@given(st.lists(texts, min_size=1, max_size=10))
def test_one_by_one_is_as_all_at_once(smiles: list[str]) -> None:
    vocabulary = Vocabulary.learn(smiles, 10)
    assert vocabulary.encode_many(smiles)[0].tolist() == [i for one in smiles for i in vocabulary.encode(one)]


def test_merges_shorten(molecules: list[str]) -> None:
    plain, merged = (len(Vocabulary.learn(molecules, n).encode_many(molecules)[0]) for n in (0, 60))
    assert merged < 0.5 * plain


@pytest.mark.parametrize(
    ("smiles", "named"), [("CBr", "'Br'"), ("C[Se]C", r"'\[Se\]'"), ("C?", r"'\?'"), ("C\nC", "n'")]
)
def test_an_unknown_token_is_named(smiles: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        Vocabulary.learn(["CCO", "c1ccccc1"], 3).encode_many(["CCO", smiles])


def test_selfies_go_in_and_out_as_smiles(molecules: list[str]) -> None:
    vocabulary = Vocabulary.learn(molecules, 20, "selfies")
    ids, borders = vocabulary.encode_many(molecules)
    assert "[=Branch1]" in vocabulary.alphabet
    assert [Chem.CanonSmiles(vocabulary.decode(ids[a:b])) for a, b in pairwise(borders)] == molecules


def test_an_unknown_token_of_selfies_is_named() -> None:
    with pytest.raises(InputError, match=r"SELFIES .*token '\[Br\]' is not in the vocabulary of 2 tokens"):
        Vocabulary.learn(["CO"], 0, "selfies").encode_many(["CBr"])


@pytest.mark.parametrize("notation", ["smiles", "selfies"])
def test_a_vocabulary_survives_its_file(tmp_path: Path, molecules: list[str], notation: Notation) -> None:
    vocabulary = Vocabulary.learn(molecules, 20, notation)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


def test_special_tokens_say_nothing() -> None:
    vocabulary = Vocabulary.learn(["CO"], 0)
    assert vocabulary.decode([1, *vocabulary.encode("CO"), 2, 0]) == "CO"
    assert np.array(vocabulary.encode("CO")).min() > 2
