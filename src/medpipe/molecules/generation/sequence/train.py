"""Training of the sequence family, from a token store."""

import logging
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rdkit import Chem, rdBase
from torch import Tensor

from medpipe.core.fingerprint import digest
from medpipe.molecules.encoding.batches import TokenBatches, pad
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.encoding.tokens import PAD
from medpipe.molecules.generation.direct.origin import on_one_device
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sequence.gan import SequenceGan
from medpipe.molecules.generation.sequence.networks import Generator, generator_checkpoint
from medpipe.molecules.generation.sequence.rollout import draw
from medpipe.molecules.generation.train import Trained
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.denormals import flushed_denormals
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

_MEASURED_MOLECULES = 1000
"""Held-out molecules whose likelihood is measured, and molecules drawn to see how many are valid."""
_MEASURE_SEED = 4711
_VERSIONED = ("medpipe", "torch", "lightning", "rdkit")

_logger = logging.getLogger(__name__)


@flushed_denormals()
def train(store: TokenStore, params: GanParams, work_dir: Path) -> Trained:
    """Train a generator of token sequences; see `medpipe.molecules.generation.train.train_gan`.

    Its history has train_nll and val_nll in nats a molecule, sample_validity, those two of the control
    (``control_val_nll``), discriminator_accuracy, discriminator_loss, reward, generator_listens, and the seconds that
    generator and control took in the adversarial stage.
    """
    params = on_one_device(params)
    seed_everything(params.trainer.seed)
    gan = SequenceGan(params, store.vocabulary, store.longest, _RealDraw(store, params), _Measure(store))
    rows = store.rows("train")
    batches = TokenBatches(store, rows, params.batch_size, params.trainer.seed, first=lambda: gan.n_batches_seen)
    history = fit(
        gan,
        batches,
        params=params.trainer,
        work_dir=work_dir,
        run_key=digest("train_gan", params, store.fingerprint()),
        description="Training the molecule generator",
    )
    _report(history)
    has_played = gan.warm_start_steps < params.trainer.max_steps
    generator = _checkpoint(gan.generator, store, params, gan)
    return Trained(generator, _checkpoint(gan.control, store, params, gan) if has_played else generator, history)


class _RealDraw:
    """Real molecules of all lengths mixed, which molecules following from the seed and the batch number."""

    def __init__(self, store: TokenStore, params: GanParams) -> None:
        self._store, self._rows = store, store.rows("train")
        self._size, self._seed = min(params.batch_size, len(self._rows)), params.trainer.seed

    def __call__(self, batch: int) -> Tensor:
        rng = np.random.default_rng([self._seed, batch, 1])
        return torch.from_numpy(pad(self._store, rng.choice(self._rows, self._size, replace=False)))


class _Measure:
    """Likelihood of held-out molecules and validity of drawn ones."""

    def __init__(self, store: TokenStore) -> None:
        self._store, self._rows = store, store.rows("val")[:_MEASURED_MOLECULES]

    @torch.no_grad()
    def __call__(self, generator: Generator) -> dict[str, float]:
        device = next(generator.parameters()).device
        random = torch.Generator(device).manual_seed(_MEASURE_SEED)
        noise = torch.randn((_MEASURED_MOLECULES, generator.noise_size), generator=random, device=device)
        values = {"sample_validity": self._validity(generator, noise, random)}
        if len(self._rows):
            values["val_nll"] = self._nll(generator, noise[: len(self._rows)])
        return values

    def _nll(self, generator: Generator, noise: Tensor) -> float:
        tokens = torch.from_numpy(pad(self._store, self._rows)).to(noise.device)
        logits = generator(tokens[:, :-1], noise).float().flatten(0, 1)
        total = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten(), ignore_index=PAD, reduction="sum")
        return float(total) / len(tokens)

    def _validity(self, generator: Generator, noise: Tensor, random: torch.Generator) -> float:
        drawn = draw(generator, noise, max_tokens=2 * self._store.longest + 1, random=random)
        smiles = map(self._store.vocabulary.decode, drawn.tolist())
        with rdBase.BlockLogs():
            return sum(bool(one) and Chem.MolFromSmiles(one) is not None for one in smiles) / len(noise)


def _checkpoint(network: Generator, store: TokenStore, params: GanParams, gan: SequenceGan) -> Checkpoint:
    provenance = {
        "data": store.fingerprint(),
        "params": params.model_dump(mode="json"),
        "seed": params.trainer.seed,
        "batches": gan.n_batches_seen,
        "discriminator_steps": 0 if network is gan.control else int(gan.opponent.steps),
        "versions": {name: version(name) for name in _VERSIONED},
    }
    return generator_checkpoint(network, params.sequence.generator, store.vocabulary, store.longest, provenance)


def _report(history: pd.DataFrame) -> None:
    """The effect of the adversarial stage, for better or worse, beside the control."""
    for name in ("val_nll", "control_val_nll", "sample_validity", "control_sample_validity"):
        course = history[history.name == name].sort_values("step")
        points = ", ".join(f"{value:.3f} at step {step}" for step, value in zip(course.step, course.value, strict=True))
        _logger.info("%s: %s", name, points or "not measured")
