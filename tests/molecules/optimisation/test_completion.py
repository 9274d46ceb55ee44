"""Children by completing beginnings of parents."""

import pytest
import torch
from rdkit import Chem

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.optimisation.completion import Completion
from medpipe.molecules.optimisation.known import encode_known
from medpipe.molecules.optimisation.params import CompletionParams
from medpipe.training.checkpoint import Checkpoint

PARENT = "Cc1ccccc1"
CPU = torch.device("cpu")


def test_a_child_begins_as_some_writing_of_its_parent(generator: Checkpoint, store: TokenStore) -> None:
    children = Completion(generator, CompletionParams(keep_low=0.9, random_writings=1.0), CPU)([PARENT] * 50, seed=0)
    mol = Chem.MolFromSmiles(PARENT)
    writings = {Chem.MolToRandomSmilesVect(mol, 1, i)[0] for i in range(500)}
    beginnings = {store.vocabulary.decode(store.vocabulary.encode(one)[:-1]) for one in writings}
    assert all(any(child.startswith(one) for one in beginnings) for child in children)
    assert len(set(children)) > 10


@pytest.mark.parametrize("random_writings", [0.0, 1.0])
def test_chance_follows_from_the_seed(generator: Checkpoint, random_writings: float) -> None:
    make = Completion(generator, CompletionParams(random_writings=random_writings), CPU)
    assert make([PARENT, "CCO"], seed=1) == make([PARENT, "CCO"], seed=1)
    assert make([PARENT] * 20, seed=1) != make([PARENT] * 20, seed=2)


def test_parents_of_unknown_tokens_have_no_children(generator: Checkpoint) -> None:
    children = Completion(generator, CompletionParams(), CPU)(["C[Se]C", PARENT, "[Na+]", PARENT], seed=0)
    assert children[0] == children[2] == ""
    assert children[1]
    assert children[3]


def test_nothing_begins_with_nothing(generator: Checkpoint) -> None:
    make = Completion(generator, CompletionParams(), CPU)
    assert len(make.draw(7, seed=0)) == 7
    assert make([], seed=0) == []


def test_known_tokens_come_back_in_order(store: TokenStore) -> None:
    smiles = ["CCO", "[Na+]", "c1ccccc1", "C[Se]C", "C"]
    ids = encode_known(store.vocabulary, smiles)
    assert [None if one is None else store.vocabulary.decode(one) for one in ids] == [
        "CCO",
        None,
        "c1ccccc1",
        None,
        "C",
    ]
