import itertools

import pytest
import torch

from medpipe.molecules.encoding.batches import pad
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import PAD
from medpipe.molecules.generation.losses import clip_weights, penalty
from medpipe.molecules.generation.params import GanParams, LossParams
from medpipe.molecules.generation.sequence.networks import Generator
from medpipe.molecules.generation.sequence.opponent import Opponent, TokenOpponent, build_opponent
from medpipe.molecules.generation.sequence.params import DiscriminatorParams, GeneratorParams, SequenceParams
from medpipe.molecules.generation.sequence.rollout import draw

LOSSES = ("minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic")
READERS = ("rnn", "cnn", "transformer", "fingerprint")
SMALL = GeneratorParams(noise_size=4, embedding_size=12, hidden_size=16, n_heads=2)


def opponent(store: TokenStore, loss: str, reader: str = "rnn") -> Opponent:
    torch.manual_seed(0)
    sequence = SequenceParams(generator=SMALL, discriminator=DiscriminatorParams(kind=reader, dropout=0))
    return build_opponent(GanParams(loss=LossParams(kind=loss, clip=0.1), sequence=sequence), store.vocabulary)


@pytest.fixture(scope="module")
def real(store: TokenStore) -> torch.Tensor:
    return torch.from_numpy(pad(store, store.rows("train")[:16]))


@pytest.fixture(scope="module")
def fake(store: TokenStore) -> torch.Tensor:
    torch.manual_seed(1)
    generator = Generator(SMALL, store.vocabulary)
    return draw(generator, torch.randn(16, 4), max_tokens=12, random=torch.Generator().manual_seed(0))


def train(one: Opponent, real: torch.Tensor, fake: torch.Tensor, steps: int) -> list[float]:
    random = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(one.discriminator.parameters(), lr=1e-2)
    losses, seen = [], (one.read(real), one.read(fake))
    for _ in range(steps):
        loss = one.loss(*seen, random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clip_weights(one._loss, one.discriminator)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("loss", "reader"), itertools.product(LOSSES, READERS))
def test_each_discriminator_learns_by_each_loss(
    store: TokenStore, real: torch.Tensor, fake: torch.Tensor, loss: str, reader: str
) -> None:
    one = opponent(store, loss, reader)
    losses = train(one, real, fake, 25)
    assert losses[-1] < losses[1]  # from the second on clipped weights are within their bounds
    assert one.band.accuracy > 0.6
    assert all(weight.isfinite().all() for weight in one.discriminator.parameters())


@pytest.mark.parametrize("reader", READERS)
def test_the_gradient_penalty_brings_the_norm_near_one(
    store: TokenStore, real: torch.Tensor, fake: torch.Tensor, reader: str
) -> None:
    one = opponent(store, "wasserstein_gp", reader)
    width = min(real.shape[1], fake.shape[1])
    pair = real[:, :width], fake[:, :width]
    train(one, *pair, 100)
    random = torch.Generator().manual_seed(0)
    if isinstance(one, TokenOpponent):
        squared_distance = one._penalty(*pair, random)
    else:
        squared_distance = penalty(one._loss, one._judge, one.read(pair[0]), one.read(pair[1]), random)
    assert squared_distance / LossParams().gradient_penalty < 0.1


@pytest.mark.parametrize("loss", LOSSES)
def test_padding_changes_no_loss(store: TokenStore, real: torch.Tensor, fake: torch.Tensor, loss: str) -> None:
    one = opponent(store, loss)
    wider = torch.nn.functional.pad(real, (0, 5), value=PAD)
    values = [one.loss(tokens, fake, torch.Generator().manual_seed(0)) for tokens in (real, wider)]
    torch.testing.assert_close(*values)


@pytest.mark.parametrize(("loss", "reader"), itertools.product(LOSSES, ("rnn", "fingerprint")))
def test_rewards_prefer_what_it_was_shown_as_real(
    store: TokenStore, real: torch.Tensor, fake: torch.Tensor, loss: str, reader: str
) -> None:
    one = opponent(store, loss, reader)
    train(one, real, fake, 25)
    earned = [one.rewards(one.read(tokens), tokens[:, 1:] != PAD).sum(1).mean() for tokens in (real, fake)]
    assert earned[0] > earned[1]
    assert one.discriminator.training


def test_the_verdict_on_a_finished_molecule_is_earned_by_its_last_token(store: TokenStore, real: torch.Tensor) -> None:
    one, said = opponent(store, "minimax", "fingerprint"), real[:, 1:] != PAD
    rewards = one.rewards(one.read(real), said)
    last = said.sum(1) - 1
    assert (rewards != 0).sum(1).tolist() == [1] * len(real)
    assert (rewards.gather(1, last[:, None]) != 0).all()


def test_it_starts_from_the_generator_once(store: TokenStore) -> None:
    one, generator = opponent(store, "minimax"), Generator(SMALL, store.vocabulary)
    assert isinstance(one, TokenOpponent)
    one.start_from(generator)
    with torch.no_grad():
        one.discriminator.embedding.weight.add_(1)
    one.start_from(generator)
    torch.testing.assert_close(one.discriminator.embedding.weight, generator.embedding.weight + 1)
