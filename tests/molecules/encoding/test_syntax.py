import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.syntax import Syntax
from medpipe.molecules.encoding.tokens import END, PAD, START, Vocabulary


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(("(", ")", "1", "C", "[13CH3]", "%10"), ((6, 5), (4, 6), (6, 4)))  # C1  )C  C)


def encode(vocabulary: Vocabulary, text: str) -> torch.Tensor:
    return torch.tensor([[START, *vocabulary.encode(text)]])


@pytest.mark.parametrize(
    ("text", "rings", "depth"),
    [
        ("", [0, 0], 0),
        ("C1CC", [1, 0], 0),
        ("C1CC1", [0, 0], 0),
        ("C%10C(", [0, 1], 1),
        ("C(C(C)", [0, 0], 1),
        ("[13CH3]", [0, 0], 0),
    ],
)
def test_what_is_open_is_known(vocabulary: Vocabulary, text: str, rings: list[int], depth: int) -> None:
    syntax = Syntax(vocabulary)
    state = syntax.follow(encode(vocabulary, text))[0, -1]
    assert sorted(state[:-1].tolist()) == sorted(rings)
    assert state[-1] == depth


@pytest.mark.parametrize(
    ("text", "may_end", "may_close"), [("CC", True, False), ("C1", False, False), ("C(C", False, True)]
)
def test_the_grammar_forbids(vocabulary: Vocabulary, text: str, may_end: bool, may_close: bool) -> None:
    syntax = Syntax(vocabulary)
    forbidden = syntax.forbidden(syntax.follow(encode(vocabulary, text)))[0, -1]
    assert bool(forbidden[END]) != may_end
    closing = [i for i, token in enumerate(vocabulary.texts) if token in (")", ")C", "C)")]
    assert forbidden[closing].tolist() == [not may_close] * 3
    assert forbidden[[PAD, START]].all()


def test_no_real_molecule_is_forbidden(store: TokenStore) -> None:
    syntax = Syntax(store.vocabulary)
    for row in range(len(store)):
        tokens = torch.tensor([[START, *store.ids(row), END]])
        forbidden = syntax.forbidden(syntax.follow(tokens[:, :-1]))
        assert not forbidden.gather(2, tokens[:, 1:, None]).any(), store.smiles(row)


def test_step_by_step_is_as_all_at_once(store: TokenStore) -> None:
    syntax = Syntax(store.vocabulary)
    tokens = torch.tensor([[START, *store.ids(3)]])
    state = torch.zeros(1, syntax.n_features, dtype=torch.long)
    for t in range(tokens.shape[1]):
        state = syntax.advance(state, tokens[:, t])
        assert torch.equal(state, syntax.follow(tokens)[:, t])


def test_selfies_leave_nothing_open() -> None:
    vocabulary = Vocabulary.learn(["C1CC1(C)Cl"], 2, "selfies")
    syntax = Syntax(vocabulary)
    assert syntax.n_features == 1
    state = syntax.follow(encode(vocabulary, "C1CC1"))
    assert syntax.forbidden(state)[..., END + 1 :].sum() == 0
    assert not syntax.forbidden(state)[..., END].any()
