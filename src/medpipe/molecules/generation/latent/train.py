"""Training of the latent family, from a token store: first the autoencoder, then the GAN of its latents."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from medpipe.molecules.encoding.batches import TokenBatches, pad
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.gan import DirectGan
from medpipe.molecules.generation.direct.likelihood import LikelihoodTraining
from medpipe.molecules.generation.direct.measure import validity
from medpipe.molecules.generation.direct.origin import likelihood_key, on_one_device, provenance
from medpipe.molecules.generation.direct.play import play
from medpipe.molecules.generation.latent.model import LatentModel
from medpipe.molecules.generation.latent.networks import Autoencoder, LatentDiscriminator, LatentGenerator
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.train import Trained
from medpipe.training.denormals import flushed_denormals
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

_MEASURED_MOLECULES = 500
"""Held-out molecules that are encoded and decoded, and molecules drawn to see how many are valid."""
_MEASURE_SEED = 4711
_ENCODE_BATCH = 1000


@flushed_denormals()
def train(store: TokenStore, params: GanParams, work_dir: Path) -> Trained:
    """Train autoencoder and generator of latents; see `medpipe.molecules.generation.train.train_gan`.

    The control is the same autoencoder with the normal distribution fitted to the latents of train: what likelihood
    alone gives. It costs less than the generator, which has the adversarial steps on top.

    Its history has, in the steps of the autoencoder, train_nll, val_nll and divergence in nats a molecule and
    val_reconstruction (share of held-out molecules that come back exactly); after them discriminator_accuracy,
    discriminator_loss, generator_loss, gradient_norm; and at both ends sample_validity and sample_uniqueness.
    """
    params = on_one_device(params)
    seed_everything(params.trainer.seed)
    control = LatentModel(params.latent, store.vocabulary, store.longest, adversarial=False)
    first = _train_autoencoder(control, store, params, work_dir / "autoencoder")
    latents = _latents(control.autoencoder, store, params)
    control.whitening.fit(*latents)
    gan, second = _train_gan(control, latents, store, params, work_dir / "gan")
    model = LatentModel(params.latent, store.vocabulary, store.longest, adversarial=True)
    model.load_state_dict(control.state_dict(), strict=False)
    assert model.generator is not None
    model.generator.load_state_dict(gan.kept_generator.state_dict())
    at_border = pd.DataFrame(
        [(params.trainer.max_steps, name, value) for name, value in _measure_drawn(control).items()],
        columns=["step", "name", "value"],
    )
    second["step"] += params.trainer.max_steps
    history = pd.concat([first, at_border, second], ignore_index=True)
    origin = provenance(store, params, batches=gan.n_batches_seen, discriminator_steps=int(gan.discriminator_steps))
    return Trained(model.checkpoint(origin), control.checkpoint(origin), history)


def _train_autoencoder(model: LatentModel, store: TokenStore, params: GanParams, work_dir: Path) -> pd.DataFrame:
    training = LikelihoodTraining(
        model.autoencoder, params, params.latent.kl_weight, lambda: _measure_reconstruction(model, store)
    )
    batches = TokenBatches(
        store, store.rows("train"), params.batch_size, params.trainer.seed, first=lambda: training.n_batches_seen
    )
    history = fit(
        training,
        batches,
        params=params.trainer,
        work_dir=work_dir,
        run_key=likelihood_key(store, params),
        description="Training the autoencoder",
    )
    model.cpu().eval()
    return history


def _train_gan(
    control: LatentModel, latents: tuple[Tensor, Tensor], store: TokenStore, params: GanParams, work_dir: Path
) -> tuple[DirectGan[LatentGenerator], pd.DataFrame]:
    shape, size, adversarial = params.latent.prior, control.latent_size, params.latent.adversarial
    seed_everything(params.trainer.seed)
    generator = LatentGenerator(shape, size)
    gan: DirectGan[LatentGenerator] = DirectGan(
        generator,
        LatentDiscriminator(shape, size),
        loss=params.loss,
        band=params.accuracy_band,
        params=adversarial,
        trainer=params.trainer.model_copy(update={"max_steps": adversarial.steps}),
        measure=lambda: _measure_drawn(control, gan),
        every_n_steps=params.validate_every_n_steps,
    )
    means, log_stds = latents

    def real(batch: int) -> Tensor:
        rng = np.random.default_rng([params.trainer.seed, batch])
        rows = torch.from_numpy(rng.choice(len(means), min(adversarial.batch_size, len(means)), replace=False))
        noise = torch.from_numpy(rng.standard_normal((len(rows), size), dtype=np.float32))
        return control.whitening(means[rows] + log_stds[rows].exp() * noise)

    return gan, play(gan, real, store, params, work_dir, "Training the generator of latents")


@torch.no_grad()
def _latents(autoencoder: Autoencoder, store: TokenStore, params: GanParams) -> tuple[Tensor, Tensor]:
    """Means and logarithms of standard deviations, (n, L) each, of molecules of train."""
    rows = store.rows("train")
    if len(rows) > params.latent.max_latents:
        rng = np.random.default_rng(params.trainer.seed)
        rows = rng.choice(rows, params.latent.max_latents, replace=False)
    rows = rows[np.argsort(store.lengths[rows], kind="stable")]
    chunks = np.split(rows, range(_ENCODE_BATCH, len(rows), _ENCODE_BATCH))
    found = [autoencoder.encoder(_tokens(store, chunk)) for chunk in chunks]
    return torch.cat([mean for mean, _ in found]), torch.cat([log_std for _, log_std in found])


def _measure_reconstruction(model: LatentModel, store: TokenStore) -> dict[str, float]:
    rows = store.rows("val")[:_MEASURED_MOLECULES]
    if not len(rows):
        return {}
    torch.manual_seed(_MEASURE_SEED)
    random = torch.Generator(model.device).manual_seed(_MEASURE_SEED)
    tokens = _tokens(store, rows).to(model.device)
    nll, _ = model.autoencoder(tokens)
    decoded = model.decode(model.autoencoder.encoder(tokens)[0], random)
    exact = sum(text == store.smiles(row) for text, row in zip(decoded, rows.tolist(), strict=True))
    return {"val_nll": float(nll), "val_reconstruction": exact / len(rows)}


def _measure_drawn(control: LatentModel, gan: DirectGan[LatentGenerator] | None = None) -> dict[str, float]:
    random = torch.Generator().manual_seed(_MEASURE_SEED)
    white = torch.randn((_MEASURED_MOLECULES, control.latent_size), generator=random)
    if gan is not None:
        white = gan.kept_generator(white.to(gan.device)).cpu()
    return validity(control.decode(control.whitening.restore(white), random))


def _tokens(store: TokenStore, rows: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(pad(store, rows))
