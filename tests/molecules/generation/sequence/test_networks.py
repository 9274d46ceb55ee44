from pathlib import Path

import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import END, PAD, START
from medpipe.molecules.generation.sequence.networks import (
    Discriminator,
    Generator,
    generator_checkpoint,
    rebuild_generator,
)
from medpipe.molecules.generation.sequence.params import DiscriminatorParams, GeneratorParams
from medpipe.training.checkpoint import Checkpoint

SMALL = GeneratorParams(noise_size=4, embedding_size=12, hidden_size=16, n_layers=2, n_heads=2)
SHAPES = {kind: SMALL.model_copy(update={"kind": kind}) for kind in ("gru", "transformer")}


def network(kind: str, store: TokenStore) -> Generator:
    torch.manual_seed(0)
    return Generator(SHAPES[kind], store.vocabulary).eval()


@pytest.fixture
def generator(store: TokenStore) -> Generator:
    return network("gru", store)


@pytest.mark.parametrize("kind", SHAPES)
def test_stepping_is_as_going_through_at_once(kind: str, store: TokenStore) -> None:
    generator = network(kind, store)
    tokens, noise = torch.tensor([[START, *store.ids(0)], [START, *store.ids(0)]]), torch.randn(2, 4)
    at_once, state = generator(tokens, noise), generator.first_state(noise)
    for t in range(tokens.shape[1]):
        logits, state = generator.step(tokens[:, t], state)
        torch.testing.assert_close(logits, at_once[:, t])


@pytest.mark.parametrize("kind", SHAPES)
def test_rows_of_a_state_are_those_molecules(kind: str, store: TokenStore) -> None:
    generator, tokens, noise = network(kind, store), torch.tensor([START] * 3), torch.randn(3, 4)
    _, state = generator.step(tokens, generator.first_state(noise))
    kept = torch.tensor([2, 0])
    logits, _ = generator.step(torch.tensor([5, 6]), state.rows(kept))
    all_logits, _ = generator.step(torch.tensor([6, 4, 5]), state)
    torch.testing.assert_close(logits, all_logits[kept])


@pytest.mark.parametrize("kind", SHAPES)
def test_the_noise_matters(kind: str, store: TokenStore) -> None:
    logits = network(kind, store)(torch.tensor([[START], [START]]), torch.tensor([[1.0] * 4, [-1.0] * 4]))
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("kind", SHAPES)
def test_a_checkpoint_rebuilds_the_generator(kind: str, store: TokenStore, tmp_path: Path) -> None:
    generator = network(kind, store)
    generator_checkpoint(generator, SHAPES[kind], store.vocabulary, store.longest, {"seed": 1}).save(tmp_path / "a")
    rebuilt, vocabulary = rebuild_generator(Checkpoint.load(tmp_path / "a"))
    assert vocabulary == store.vocabulary
    tokens, noise = torch.tensor([[START, *store.ids(0)]]), torch.randn(1, 4)
    torch.testing.assert_close(rebuilt(tokens, noise), generator(tokens, noise))


@pytest.mark.parametrize("kind", ["rnn", "cnn", "transformer"])
def test_a_verdict_depends_on_its_prefix_alone(kind: str, store: TokenStore) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorParams(kind=kind, hidden_size=8), SMALL, store.vocabulary).eval()
    tokens = torch.tensor([[START, *store.ids(0), END]])
    whole = discriminator(tokens)
    torch.testing.assert_close(whole[:, :3], discriminator(tokens[:, :3]))
    other = tokens.clone()
    other[0, 1] = store.ids(0)[0] + 1
    assert not torch.allclose(whole[:, -1], discriminator(other)[:, -1]), "it reads from the beginning on"


@pytest.mark.parametrize(("kind", "reader"), [("gru", "rnn"), ("transformer", "transformer")])
def test_the_discriminator_reads_as_the_generator_does(kind: str, reader: str, store: TokenStore) -> None:
    generator = network(kind, store)
    discriminator = Discriminator(DiscriminatorParams(kind=reader), SHAPES[kind], store.vocabulary)
    discriminator.start_from(generator)
    tokens = torch.tensor([[START, *store.ids(0)]])
    read = [one.core(one.embedding(tokens)) for one in (generator, discriminator)]
    torch.testing.assert_close(*read)
    assert discriminator.embedding.weight is not generator.embedding.weight


def test_a_discriminator_that_reads_otherwise_takes_the_token_vectors(generator: Generator, store: TokenStore) -> None:
    discriminator = Discriminator(DiscriminatorParams(kind="cnn"), SMALL, store.vocabulary)
    discriminator.start_from(generator)
    torch.testing.assert_close(discriminator.embedding.weight, generator.embedding.weight)


def test_tokens_are_points_of_the_space_between_them(store: TokenStore) -> None:
    discriminator = Discriminator(DiscriminatorParams(kind="rnn"), SMALL, store.vocabulary).eval()
    tokens = torch.tensor([[START, *store.ids(0), END, PAD]])
    torch.testing.assert_close(discriminator.judge_points(discriminator.points(tokens)), discriminator(tokens))
