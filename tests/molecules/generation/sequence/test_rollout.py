import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import END, PAD, START
from medpipe.molecules.generation.sequence import rollout
from medpipe.molecules.generation.sequence.networks import Generator
from medpipe.molecules.generation.sequence.params import GeneratorParams
from medpipe.molecules.generation.sequence.rollout import draw


@pytest.fixture
def generator(store: TokenStore) -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorParams(noise_size=4, embedding_size=12, hidden_size=16), store.vocabulary).eval()


def test_sequences_are_well_formed(generator: Generator) -> None:
    drawn = draw(generator, torch.randn(50, 4), max_tokens=30, random=torch.Generator().manual_seed(0))
    assert drawn.shape[1] <= 31
    for row in drawn.tolist():
        assert row[0] == START
        said = [token for token in row[1:] if token != PAD]
        assert row[1 : 1 + len(said)] == said, "padding comes last"
        assert START not in said
        assert END not in said[:-1]


def test_the_draw_follows_its_distribution(generator: Generator) -> None:
    noise = torch.zeros(20_000, 4)
    drawn = draw(generator, noise, max_tokens=1, random=torch.Generator().manual_seed(0), temperature=0.7)
    expected = (generator.step(drawn[:1, 0], generator.first_state(noise[:1]))[0] / 0.7).softmax(-1)[0]
    found = torch.bincount(drawn[:, 1], minlength=len(expected)) / len(noise)
    assert (found - expected).abs().max() < 0.012  # five standard deviations


def test_rows_that_go_on_keep_their_own_state(generator: Generator) -> None:
    """Taking the likeliest token, a molecule must not depend on its neighbours in the batch."""
    noise = torch.randn(30, 4) * 5
    together = draw(generator, noise, max_tokens=20, random=torch.Generator(), temperature=1e-6)
    for i in range(30):
        alone = draw(generator, noise[i : i + 1], max_tokens=20, random=torch.Generator(), temperature=1e-6)[0]
        assert together[i, : len(alone)].tolist() == alone.tolist()


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, {1}), (0.6, {1, 2}), (0.95, {0, 1, 2}), (1.0, {0, 1, 2, 3})])
def test_top_p_keeps_the_likeliest(top_p: float, kept: set[int]) -> None:
    logits = torch.tensor([0.2, 0.5, 0.25, 0.05]).log().expand(2000, 4)
    assert set(rollout._choose(logits, top_p, torch.Generator().manual_seed(0)).tolist()) == kept


def test_a_given_beginning_is_gone_on_from(generator: Generator, store: TokenStore) -> None:
    first, second = (store.ids(row) for row in (0, 5))
    width = max(len(first), len(second)) - 1
    prefix = torch.full((2, width), PAD)
    for row, ids in enumerate((first, second)):
        prefix[row, : len(ids) - 1] = torch.tensor(ids[:-1])
    noise = torch.randn(2, 4)
    drawn = draw(generator, noise, max_tokens=30, random=torch.Generator(), temperature=1e-6, prefix=prefix)
    for row, ids in enumerate((first, second)):
        assert drawn[row, 1 : len(ids)].tolist() == ids[:-1]
        likeliest = generator(torch.tensor([[START, *ids[:-1]]]), noise[row : row + 1])[0, -1].argmax()
        assert drawn[row, len(ids)] == likeliest
