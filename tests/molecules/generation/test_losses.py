import math

import pytest
import torch
from torch import Tensor, nn

from medpipe.molecules.generation.losses import (
    AccuracyBand,
    clip_weights,
    discriminator_loss,
    generator_loss,
    gradient_norms,
    penalty,
    rewards,
)
from medpipe.molecules.generation.params import BandParams, LossParams

KINDS = ("minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic")
REAL, FAKE = torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0])
SLOPE = torch.tensor([3.0, 4.0])


def linear(inputs: Tensor) -> Tensor:
    """D(x) = w.x, whose gradient is w everywhere: norm 5."""
    return inputs @ SLOPE


def bowl(inputs: Tensor) -> Tensor:
    """D(x) = |x|^2 / 2, whose gradient is x."""
    return 0.5 * inputs.square().sum(1)


def log1pe(value: float) -> float:
    return math.log(1 + math.exp(value))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("minimax", 0.25 * (log1pe(0) + log1pe(-2) + log1pe(0) + log1pe(-1))),
        ("least_squares", 0.5 * ((1 + 1) / 2 + (0 + 1) / 2)),
        ("wasserstein_gp", -0.5 - 1.0),
        ("wasserstein_clip", -0.5 - 1.0),
        ("relativistic", 0.5 * (log1pe(0) + log1pe(-3))),
    ],
)
def test_discriminator_loss_by_hand(kind: str, expected: float) -> None:
    assert discriminator_loss(LossParams(kind=kind), REAL, FAKE).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("minimax", 0.5 * (log1pe(0) + log1pe(1))),
        ("least_squares", 0.5 * (1 + 4) / 2),
        ("wasserstein_gp", 0.5),
        ("wasserstein_clip", 0.5),
        ("relativistic", 0.5 * (log1pe(0) + log1pe(3))),
    ],
)
def test_generator_loss_by_hand(kind: str, expected: float) -> None:
    assert generator_loss(LossParams(kind=kind), REAL, FAKE).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_looks_more_real_earns_more(kind: str) -> None:
    fake = torch.linspace(-2, 0.9, 9)
    assert (rewards(LossParams(kind=kind), fake, torch.tensor(0.3)).diff() > 0).all()


def test_relativistic_needs_real_molecules() -> None:
    with pytest.raises(ValueError, match="real"):
        generator_loss(LossParams(kind="relativistic"), None, FAKE)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_pull_the_two_sides_apart_for_the_discriminator_and_together_for_the_generator(kind: str) -> None:
    params = LossParams(kind=kind)
    real, fake = torch.tensor([0.2], requires_grad=True), torch.tensor([0.1], requires_grad=True)
    on_real, on_fake = torch.autograd.grad(discriminator_loss(params, real, fake), [real, fake])
    (on_generated,) = torch.autograd.grad(generator_loss(params, real, fake), [fake])
    assert on_real < 0 < on_fake
    assert on_generated < 0


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    params = LossParams(kind="wasserstein_gp", gradient_penalty=10)
    real, fake = torch.randn(6, 2), torch.randn(6, 2)
    assert penalty(params, linear, real, fake, torch.Generator()).item() == pytest.approx(10 * (5 - 1) ** 2)


def test_gradient_penalty_looks_between_real_and_generated() -> None:
    """At x the bowl's gradient has norm |x|, so between 2 and 4 it tells where the penalty looked: (|x| - 1)^2."""
    real, fake = torch.full((5000, 1), 2.0), torch.full((5000, 1), 4.0)
    params = LossParams(kind="wasserstein_gp", gradient_penalty=1)
    value = penalty(params, bowl, real, fake, torch.Generator().manual_seed(0)).item()
    assert value == pytest.approx((3**3 - 1**3) / (3 * 2), rel=0.02)  # mean of (x - 1)^2 over [2, 4]


def test_r1_and_r2_of_known_discriminators() -> None:
    real, fake = torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]])
    params = LossParams(kind="relativistic", r1=2, r2=6)
    assert penalty(params, bowl, real, fake, torch.Generator()).item() == pytest.approx(0.5 * (2 * 25 + 6 * 1))
    assert penalty(params, linear, real, fake, torch.Generator()).item() == pytest.approx(0.5 * (2 + 6) * 25)


@pytest.mark.parametrize("kind", ["minimax", "least_squares", "wasserstein_clip"])
def test_other_kinds_have_no_penalty(kind: str) -> None:
    assert penalty(LossParams(kind=kind), linear, REAL[:, None], FAKE[:, None], torch.Generator()) == 0


def test_the_penalty_teaches_the_weights() -> None:
    """Alone it drives a linear discriminator to a gradient of norm one."""
    torch.manual_seed(0)
    network, random = nn.Linear(4, 1), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(network.parameters(), 0.05)
    params = LossParams(kind="wasserstein_gp", gradient_penalty=1)
    for _ in range(200):
        optimizer.zero_grad()
        penalty(params, network, torch.randn(8, 4), torch.randn(8, 4), random).backward()
        optimizer.step()
    assert gradient_norms(network, torch.randn(2, 4)).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_gradient_norms_go_through_a_recurrent_network() -> None:
    gru = nn.GRU(3, 5, batch_first=True)
    norms = gradient_norms(lambda inputs: gru(inputs)[0][:, -1].sum(1), torch.randn(4, 6, 3))
    norms.sum().backward()
    assert norms.shape == (4,)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in gru.parameters())


def test_clipping_bounds_every_weight_and_only_for_its_kind() -> None:
    network = nn.Linear(4, 4)
    before = network.weight.clone()
    clip_weights(LossParams(kind="wasserstein_gp", clip=0.01), network)
    assert torch.equal(network.weight, before)
    clip_weights(LossParams(kind="wasserstein_clip", clip=0.01), network)
    torch.testing.assert_close(network.weight, before.clamp(-0.01, 0.01))


@pytest.mark.parametrize(
    ("kind", "real", "fake", "share"),
    [
        ("minimax", [1.0, -1.0], [-1.0, -2.0], 0.75),
        ("least_squares", [0.6, 0.4], [0.4, 0.3], 0.75),
        ("wasserstein_gp", [100.0, 103.0], [90.0, 99.0], 0.75),  # parted at 98: 99 is taken for real
        ("relativistic", [5.0, 5.0], [5.0, 5.0], 0.0),
    ],
)
def test_accuracy_by_hand(kind: str, real: list[float], fake: list[float], share: float) -> None:
    band = AccuracyBand(LossParams(kind=kind), BandParams())
    band.update(torch.tensor(real), torch.tensor(fake))
    assert band.accuracy.item() == pytest.approx(0.9 * 0.5 + 0.1 * share)


@pytest.mark.parametrize(("accuracy", "learns", "listens"), [(0.5, True, False), (0.7, True, True), (0.9, False, True)])
def test_who_may_learn(accuracy: float, learns: bool, listens: bool) -> None:
    band = AccuracyBand(LossParams(), BandParams(low=0.6, high=0.8))
    band.accuracy.fill_(accuracy)
    assert (band.discriminator_learns, band.generator_listens) == (learns, listens)


def test_the_band_is_saved_with_the_training() -> None:
    band, other = (AccuracyBand(LossParams(), BandParams()) for _ in range(2))
    band.update(torch.ones(4), -torch.ones(4))
    other.load_state_dict(band.state_dict())
    assert other.accuracy == band.accuracy == pytest.approx(0.55)
