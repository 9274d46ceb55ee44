"""Generator against discriminator where the answer is known: a normal distribution."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from medpipe.molecules.generation.direct.gan import DirectGan, DirectGenerator
from medpipe.molecules.generation.direct.module import Batches
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.params import BandParams, LossParams
from medpipe.training.fit import fit
from medpipe.training.params import TrainerParams

KINDS = ("minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic")
MEAN = 2.0
SPREAD = 0.5


class Shift(DirectGenerator):
    """G(z) = a z + b, which has to find a = 0.5 and b = 2."""

    def __init__(self) -> None:
        super().__init__()
        self.noise_size = 2
        self.scale, self.shift = nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(2))

    def forward(self, noise: Tensor) -> Tensor:
        return self.scale * noise + self.shift


def real(batch: int) -> Tensor:
    random = torch.Generator().manual_seed(batch)
    return MEAN + SPREAD * torch.randn((64, 2), generator=random)


def make(kind: str, steps: int, band: BandParams | None = None) -> DirectGan[Shift]:
    torch.manual_seed(0)
    params = DirectParams(steps=steps, learning_rate=0.05, discriminator_learning_rate=0.03, average_decay=0.97)
    trainer = TrainerParams(max_steps=steps, log_every_n_steps=10, checkpoint_every_n_steps=7, accelerator="cpu")
    return DirectGan(
        Shift(),
        nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Flatten(0)),
        loss=LossParams(kind=kind, clip=0.3),  # type: ignore[arg-type]
        band=band or BandParams(low=0.0, high=0.95),
        params=params,
        trainer=trainer,
        measure=dict,
        every_n_steps=0,
    )


def train(gan: DirectGan[Shift], folder: Path) -> pd.DataFrame:
    batches = Batches(real, lambda: gan.n_batches_seen)
    return fit(gan, batches, params=gan.budget, work_dir=folder, run_key="key", description="Training")


@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_finds_where_the_data_lie(kind: str, tmp_path: Path) -> None:
    gan = make(kind, 160)
    history = train(gan, tmp_path)
    assert gan.kept_generator.shift.tolist() == pytest.approx([MEAN, MEAN], abs=0.7)
    assert history.value.notna().all()


def test_the_gradient_penalty_holds_the_gradient_near_one(tmp_path: Path) -> None:
    history = train(make("wasserstein_gp", 160), tmp_path)
    norms = history[history.name == "gradient_norm"].value
    assert norms.iloc[-3:].mean() == pytest.approx(1, abs=0.3)


def test_clipping_holds_the_weights(tmp_path: Path) -> None:
    gan = make("wasserstein_clip", 20)
    train(gan, tmp_path)
    assert max(weight.abs().max().item() for weight in gan.discriminator.parameters()) == pytest.approx(0.3)


@pytest.mark.parametrize(("band", "learns", "listens"), [((0.0, 0.01), False, True), ((0.98, 0.99), True, False)])
def test_the_band_says_who_learns(band: tuple[float, float], learns: bool, listens: bool, tmp_path: Path) -> None:
    gan = make("minimax", 8, BandParams(low=band[0], high=band[1]))
    train(gan, tmp_path)
    assert (gan.discriminator_steps > 0) == learns
    assert (gan.generator.shift.abs().sum() > 0) == listens


class Killed(Exception):
    """What the test stops a training with."""


def test_a_killed_training_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make("relativistic", 40)
    train(whole, tmp_path / "whole")
    step = DirectGan.training_step

    def dies(self: DirectGan[Shift], batch: Tensor, batch_idx: int) -> None:
        if self.n_batches_seen == 11:
            raise Killed
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(DirectGan, "training_step", dies)
        with pytest.raises(Killed):
            train(make("relativistic", 40), tmp_path / "killed")
    resumed = make("relativistic", 40)
    train(resumed, tmp_path / "killed")
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], weight)
