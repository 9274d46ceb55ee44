from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.gan import DirectGan
from medpipe.molecules.generation.direct.likelihood import LikelihoodTraining
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.latent import train as train_module
from medpipe.molecules.generation.latent.model import LatentModel, load_latent_model
from medpipe.molecules.generation.latent.params import EncoderParams, LatentParams, PriorParams
from medpipe.molecules.generation.params import BandParams, GanParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.molecules.generation.sequence.params import GeneratorParams
from medpipe.molecules.generation.train import Trained, train_gan
from medpipe.training.params import TrainerParams


def small(steps: int, adversarial_steps: int) -> GanParams:
    return GanParams(
        family="latent",
        latent=LatentParams(
            encoder=EncoderParams(embedding_size=24, hidden_size=64),
            decoder=GeneratorParams(noise_size=16, embedding_size=24, hidden_size=64),
            prior=PriorParams(hidden_size=32, n_blocks=2),
            adversarial=DirectParams(steps=adversarial_steps, batch_size=64),
            kl_weight=0.01,
        ),
        accuracy_band=BandParams(low=0.0),
        batch_size=64,
        learning_rate=1e-2,
        warm_up_steps=5,
        validate_every_n_steps=50,
        trainer=TrainerParams(max_steps=steps, log_every_n_steps=5, checkpoint_every_n_steps=7, accelerator="cpu"),
    )


@pytest.fixture(scope="module")
def trained(store: TokenStore, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "_MEASURED_MOLECULES", 30)
        return train_gan(store, small(300, 40), tmp_path_factory.mktemp("latent"))


@pytest.fixture(scope="module")
def model(trained: Trained) -> LatentModel:
    return load_latent_model(trained.generator)


def course(history: pd.DataFrame, name: str) -> pd.Series:
    return history[history.name == name].set_index("step").value


def test_molecules_of_train_come_back(model: LatentModel, store: TokenStore) -> None:
    smiles = [store.smiles(row) for row in store.rows("train")[:50]]
    decoded = model.decode(model.encode(smiles), torch.Generator().manual_seed(0))
    assert sum(map(str.__eq__, decoded, smiles)) >= 25


def test_each_molecule_has_its_own_vector_whatever_is_encoded_beside_it(model: LatentModel, store: TokenStore) -> None:
    smiles = [store.smiles(row) for row in store.rows("val")[:6]]
    together = model.encode(smiles)
    assert together.shape == (6, 16)
    torch.testing.assert_close(together, torch.cat([model.encode([one]) for one in smiles]))
    assert model.encode([]).shape == (0, 16)


def test_an_unknown_token_is_named(model: LatentModel) -> None:
    with pytest.raises(InputError, match="Xe"):
        model.encode(["C[Xe]"])


def test_the_history_tells_both_stages(trained: Trained) -> None:
    history = trained.history
    assert course(history, "train_nll").iloc[-1] < 0.5 * course(history, "train_nll").iloc[0]
    assert course(history, "val_reconstruction").index.max() == 300
    assert course(history, "discriminator_accuracy").index.min() > 300
    assert course(history, "sample_validity").index[0] == 300
    assert history.value.notna().all()


def test_generator_and_control_share_the_decoder_and_differ_in_where_latents_come_from(trained: Trained) -> None:
    models = [load_latent_model(checkpoint) for checkpoint in (trained.generator, trained.control)]
    for name, weight in models[1].state_dict().items():
        torch.testing.assert_close(models[0].state_dict()[name], weight)
    latents = [model.draw_latents(4, torch.Generator().manual_seed(1)) for model in models]
    assert not torch.allclose(*latents)


@pytest.mark.parametrize("which", ["generator", "control"])
def test_sampling_repeats_itself(trained: Trained, which: str) -> None:
    sampler = load_sampler(getattr(trained, which))
    drawn = [
        sampler.draw(20, torch.Generator().manual_seed(3), temperature=1.0, top_p=1.0, max_tokens=sampler.max_tokens)
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 10


class Killed(Exception):
    """What a test stops a training with."""


@pytest.mark.parametrize("stage", [LikelihoodTraining, DirectGan])
def test_a_killed_training_ends_as_if_it_had_not_been(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: type
) -> None:
    monkeypatch.setattr(train_module, "_MEASURED_MOLECULES", 10)
    whole = train_gan(store, small(16, 16), tmp_path / "whole")
    step = stage.training_step

    def dies(self: LikelihoodTraining, batch: torch.Tensor, batch_idx: int) -> None:
        if self.n_batches_seen == 5:
            raise Killed
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "training_step", dies)
        with pytest.raises(Killed):
            train_gan(store, small(16, 16), tmp_path / "killed")
    resumed = train_gan(store, small(16, 16), tmp_path / "killed")
    for name, weight in whole.generator.weights.items():
        torch.testing.assert_close(resumed.generator.weights[name], weight)
