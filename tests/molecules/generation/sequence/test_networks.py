from pathlib import Path

import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import END, START
from medpipe.molecules.generation.sequence.networks import (
    Discriminator,
    Generator,
    generator_checkpoint,
    rebuild_generator,
)
from medpipe.molecules.generation.sequence.params import DiscriminatorParams, GeneratorParams
from medpipe.training.checkpoint import Checkpoint

SMALL = GeneratorParams(noise_size=4, embedding_size=12, hidden_size=16, n_layers=2)


@pytest.fixture
def generator(store: TokenStore) -> Generator:
    torch.manual_seed(0)
    return Generator(SMALL, store.vocabulary).eval()


def test_stepping_is_as_going_through_at_once(generator: Generator, store: TokenStore) -> None:
    tokens, noise = torch.tensor([[START, *store.ids(0)], [START, *store.ids(0)]]), torch.randn(2, 4)
    at_once, state = generator(tokens, noise), generator.first_state(noise)
    for t in range(tokens.shape[1]):
        logits, state = generator.step(tokens[:, t], state)
        torch.testing.assert_close(logits, at_once[:, t])


def test_the_noise_matters(generator: Generator) -> None:
    logits = generator(torch.tensor([[START], [START]]), torch.tensor([[1.0] * 4, [-1.0] * 4]))
    assert not torch.allclose(logits[0], logits[1])


def test_a_checkpoint_rebuilds_the_generator(generator: Generator, store: TokenStore, tmp_path: Path) -> None:
    generator_checkpoint(generator, SMALL, store.vocabulary, store.longest, {"seed": 1}).save(tmp_path / "a")
    rebuilt, vocabulary = rebuild_generator(Checkpoint.load(tmp_path / "a"))
    assert vocabulary == store.vocabulary
    tokens, noise = torch.tensor([[START, *store.ids(0)]]), torch.randn(1, 4)
    torch.testing.assert_close(rebuilt(tokens, noise), generator(tokens, noise))


def test_a_verdict_depends_on_its_prefix_alone(store: TokenStore) -> None:
    discriminator = Discriminator(DiscriminatorParams(hidden_size=8), SMALL, store.vocabulary).eval()
    tokens = torch.tensor([[START, *store.ids(0), END]])
    torch.testing.assert_close(discriminator(tokens)[:, :3], discriminator(tokens[:, :3]))


def test_the_discriminator_reads_as_the_generator_does(generator: Generator, store: TokenStore) -> None:
    discriminator = Discriminator(DiscriminatorParams(), SMALL, store.vocabulary)
    discriminator.start_from(generator)
    torch.testing.assert_close(discriminator.rnn.weight_hh_l0, generator.rnn.weight_hh_l0)
    assert discriminator.rnn.weight_hh_l0 is not generator.rnn.weight_hh_l0
