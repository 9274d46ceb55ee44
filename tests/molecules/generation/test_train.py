import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import BandParams, GanParams, LossParams
from medpipe.molecules.generation.sequence import gan as gan_module
from medpipe.molecules.generation.sequence import train as train_module
from medpipe.molecules.generation.sequence.params import (
    AdversarialParams,
    DiscriminatorParams,
    GeneratorParams,
    SequenceParams,
)
from medpipe.molecules.generation.train import Trained, train_gan
from medpipe.training.params import TrainerParams


@pytest.fixture(autouse=True)
def _measure_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "_MEASURED_MOLECULES", 40)


def sequence(kind: str = "gru", reader: str = "rnn", **adversarial: float) -> SequenceParams:
    generator = GeneratorParams(kind=kind, noise_size=8, embedding_size=24, hidden_size=48, n_heads=4)
    discriminator = DiscriminatorParams(kind=reader)
    return SequenceParams(
        generator=generator, discriminator=discriminator, adversarial=AdversarialParams(**adversarial)
    )


def small(**changes: object) -> GanParams:
    values: dict = {
        "sequence": sequence(share=0.5, head_start_steps=3),
        "accuracy_band": BandParams(low=0.0),
        "batch_size": 32,
        "learning_rate": 1e-2,
        "warm_up_steps": 5,
        "validate_every_n_steps": 40,
        "trainer": TrainerParams(max_steps=80, log_every_n_steps=1, checkpoint_every_n_steps=7, accelerator="cpu"),
    }
    return GanParams(**(values | changes))


def course(history: pd.DataFrame, name: str) -> pd.Series:
    return history[history.name == name].set_index("step").value


@pytest.fixture(scope="module")
def whole(store: TokenStore, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "_MEASURED_MOLECULES", 40)
        return train_gan(store, small(), tmp_path_factory.mktemp("whole") / "work")


def test_both_stages_train_and_are_measured(store: TokenStore, whole: Trained) -> None:
    generator, _, history = whole
    assert course(history, "val_nll").index.tolist() == [40, 80]
    assert course(history, "train_nll").iloc[:5].mean() > 1.5 * course(history, "train_nll").iloc[-5:].mean()
    assert course(history, "discriminator_accuracy").index.min() > 40
    assert course(history, "generator_listens").max() == 1
    assert generator.kind == "smiles_generator"
    assert generator.provenance["data"] == store.fingerprint()
    assert generator.provenance["batches"] == 80
    assert 0 < generator.provenance["discriminator_steps"] <= 40
    assert all(weight.isfinite().all() for weight in generator.weights.values())


def test_the_control_is_what_likelihood_alone_gives(store: TokenStore, whole: Trained, tmp_path: Path) -> None:
    """Beside the GAN it trains as it would with no GAN at all."""
    generator, control, history = whole
    alone, alone_control, alone_history = train_gan(store, small(sequence=sequence(share=0)), tmp_path)
    assert alone_control is alone
    assert control.provenance["discriminator_steps"] == alone.provenance["discriminator_steps"] == 0
    assert not alone_history.name.str.startswith("discriminator").any()
    assert course(history, "control_val_nll").loc[80] == pytest.approx(course(alone_history, "val_nll").loc[80])
    for name, weight in alone.weights.items():
        torch.testing.assert_close(control.weights[name], weight)
    assert not all(torch.equal(control.weights[name], weight) for name, weight in generator.weights.items())
    assert course(history, "speed_adversarial_s").item() > course(history, "speed_control_s").item() > 0


@pytest.mark.parametrize("loss", ["minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic"])
@pytest.mark.parametrize(("kind", "reader"), [("gru", "fingerprint"), ("transformer", "transformer")])
def test_each_loss_trains_each_pair_of_networks(
    store: TokenStore, tmp_path: Path, loss: str, kind: str, reader: str
) -> None:
    params = small(
        loss=LossParams(kind=loss),
        sequence=sequence(kind, reader, share=0.5, head_start_steps=0),
        validate_every_n_steps=0,
        trainer=TrainerParams(max_steps=8, log_every_n_steps=1, accelerator="cpu"),
    )
    generator, _, history = train_gan(store, params, tmp_path)
    assert generator.provenance["discriminator_steps"] > 0
    assert len(course(history, "discriminator_loss")) == 4
    assert history.value.map(math.isfinite).all()
    assert all(weight.isfinite().all() for weight in generator.weights.values())


@pytest.mark.parametrize(
    ("band", "learns", "listens"), [((0.0, 0.01), False, False), ((0.98, 0.99), True, False), ((0.0, 1.0), True, True)]
)
def test_the_controller_holds_the_band(
    store: TokenStore, tmp_path: Path, band: tuple[float, float], learns: bool, listens: bool
) -> None:
    low, high = band
    params = small(
        sequence=sequence(share=0.7, head_start_steps=0),
        accuracy_band=BandParams(low=low, high=high),
        validate_every_n_steps=0,
        trainer=TrainerParams(max_steps=20, log_every_n_steps=1, accelerator="cpu"),
    )
    checkpoint, _, history = train_gan(store, params, tmp_path)
    assert (checkpoint.provenance["discriminator_steps"] > 0) == learns
    assert (course(history, "generator_listens").max() == 1) == (listens or not learns)


class Killed(Exception):
    """What a test stops a training with."""


@pytest.mark.parametrize("batch", [20, 50])
def test_a_killed_training_ends_as_if_it_had_not_been(
    store: TokenStore, whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    step = gan_module.SequenceGan.training_step

    def dies(self: gan_module.SequenceGan, real: torch.Tensor, batch_idx: int) -> None:
        if self.n_batches_seen == batch:
            raise Killed
        step(self, real, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(gan_module.SequenceGan, "training_step", dies)
        with pytest.raises(Killed):
            train_gan(store, small(), tmp_path / "killed")
    resumed = train_gan(store, small(), tmp_path / "killed")
    for checkpoint, expected in ((resumed.generator, whole.generator), (resumed.control, whole.control)):
        for name, weight in expected.weights.items():
            torch.testing.assert_close(checkpoint.weights[name], weight)
    both = (resumed.history, whole.history)
    without_clock = [h[~h["name"].str.startswith("speed_")].reset_index(drop=True) for h in both]
    pd.testing.assert_frame_equal(*without_clock, check_exact=False)


def test_several_devices_are_not_used(store: TokenStore, tmp_path: Path) -> None:
    trainer = TrainerParams(max_steps=2, accelerator="cpu", devices=2, num_nodes=2)
    generator, _, history = train_gan(store, small(trainer=trainer), tmp_path)
    assert generator.provenance["params"]["trainer"]["devices"] == 1
    assert len(history)


def test_too_few_molecules_are_a_clear_error(tmp_path: Path) -> None:
    smiles = pd.DataFrame({"smiles": ["CCO", "CC"], "split": ["train", "test"]})
    store = encode(smiles, EncodeParams(), tmp_path / "store")
    with pytest.raises(InputError, match="1 molecules in split 'train'"):
        train_gan(store, small(), tmp_path / "work")
