"""Training of the graph family, from a token store."""

import copy
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medpipe.core.errors import InputError
from medpipe.core.progress import track
from medpipe.molecules.encoding.graphs import GraphAlphabet, encode_graphs
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.gan import DirectGan
from medpipe.molecules.generation.direct.measure import validity
from medpipe.molecules.generation.direct.module import Batches
from medpipe.molecules.generation.direct.origin import likelihood_key, on_one_device, provenance
from medpipe.molecules.generation.direct.play import play
from medpipe.molecules.generation.graph.layout import Layout
from medpipe.molecules.generation.graph.model import GraphSampler, graph_checkpoint
from medpipe.molecules.generation.graph.networks import (
    GraphAnchor,
    GraphAutoencoder,
    GraphDiscriminator,
    GraphGenerator,
)
from medpipe.molecules.generation.graph.warm_start import GraphWarmStart, branch_step
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.train import Trained
from medpipe.training.denormals import flushed_denormals
from medpipe.training.fit import fit
from medpipe.training.seeds import seed_everything

_MEASURED_MOLECULES = 500
"""Held-out molecules whose likelihood is measured, and graphs drawn to see how many are molecules."""
_MEASURE_SEED = 4711
_CHUNK = 2000
_ALPHABET_SAMPLE = 5000
"""Molecules of train whose types of atoms are learnt; one with a type that none of them has is left out."""

_logger = logging.getLogger(__name__)


class _Data(NamedTuple):
    """Graphs that fit: types (n, A) and orders (n, P), bytes both."""

    atoms: Tensor
    pairs: Tensor


@flushed_denormals()
def train(store: TokenStore, params: GanParams, work_dir: Path) -> Trained:
    """Train a generator of graphs; see `medpipe.molecules.generation.train.train_gan`.

    The control is the generator that goes on by likelihood where the adversarial stage branches off.

    Its history has, in the steps of the control, train_nll, val_nll and divergence in nats a molecule; counted on from
    the branch, discriminator_accuracy, discriminator_loss, generator_loss, anchor_loss, gradient_norm; and of both
    sample_validity and sample_uniqueness, the control's as control_sample_validity and control_sample_uniqueness.

    Raises:
        InputError: Fewer than two molecules of train fit into ``graph.max_atoms``.
    """
    params = on_one_device(params)
    alphabet = GraphAlphabet.learn(_smiles(store, "train", _ALPHABET_SAMPLE))
    layout = Layout(params.graph.max_atoms, len(alphabet))
    data = _read(_smiles(store, "train", params.graph.max_molecules), layout, alphabet)
    if len(data.atoms) < 2:
        raise InputError(
            f"{store.folder}: {len(data.atoms)} molecules of train have at most {layout.max_atoms} heavy atoms, at "
            "least 2 are needed; raise graph.max_atoms."
        )
    held_out = _read(_smiles(store, "val", _MEASURED_MOLECULES), layout, alphabet)
    seed_everything(params.trainer.seed)
    autoencoder = GraphAutoencoder(params.graph.generator, layout)
    first, branch = _train_by_likelihood(autoencoder, alphabet, data, held_out, store, params, work_dir / "likelihood")
    gan, second = _train_gan(branch, alphabet, data, store, params, work_dir / "gan")
    second["step"] += branch_step(params)
    origin = provenance(
        store,
        params,
        molecules=len(data.atoms),
        batches=gan.n_batches_seen,
        discriminator_steps=int(gan.discriminator_steps),
    )
    return Trained(
        graph_checkpoint(gan.kept_generator, alphabet, params.graph, origin),
        graph_checkpoint(autoencoder.generator, alphabet, params.graph, origin),
        pd.concat([first, second], ignore_index=True),
    )


def _train_by_likelihood(
    autoencoder: GraphAutoencoder,
    alphabet: GraphAlphabet,
    data: _Data,
    held_out: _Data,
    store: TokenStore,
    params: GanParams,
    work_dir: Path,
) -> tuple[pd.DataFrame, GraphAutoencoder]:
    layout = autoencoder.generator.layout

    def measure() -> dict[str, float]:
        values = {f"control_{name}": value for name, value in _measure_drawn(autoencoder.generator, alphabet).items()}
        if len(held_out.atoms):
            torch.manual_seed(_MEASURE_SEED)
            nll, _ = autoencoder(layout.one_hot(*held_out).to(training.device))
            values["val_nll"] = float(nll)
        return values

    training = GraphWarmStart(autoencoder, params, measure)
    draw = _RealDraw(data, layout, params.batch_size, params.trainer.seed)
    history = fit(
        training,
        Batches(draw, lambda: training.n_batches_seen),
        params=params.trainer,
        work_dir=work_dir,
        run_key=likelihood_key(store, params),
        description="Training the generator of graphs by likelihood",
    )
    training.cpu()
    return history, training.branch


def _train_gan(
    branch: GraphAutoencoder,
    alphabet: GraphAlphabet,
    data: _Data,
    store: TokenStore,
    params: GanParams,
    work_dir: Path,
) -> tuple[DirectGan[GraphGenerator], pd.DataFrame]:
    adversarial, layout = params.graph.adversarial, branch.generator.layout
    seed_everything(params.trainer.seed)
    gan: DirectGan[GraphGenerator] = DirectGan(
        branch.generator.requires_grad_(True),
        GraphDiscriminator(params.graph.discriminator, layout),
        anchor=GraphAnchor(branch.encoder, params.graph.likelihood_weight),
        loss=params.loss,
        band=params.accuracy_band,
        params=adversarial,
        trainer=params.trainer.model_copy(update={"max_steps": adversarial.steps}),
        measure=lambda: _measure_drawn(gan.kept_generator, alphabet),
        every_n_steps=params.validate_every_n_steps,
    )
    real = _RealDraw(data, layout, adversarial.batch_size, params.trainer.seed)
    description = "Training the generator of graphs against its discriminator"
    return gan, play(gan, real, store, params, work_dir, description)


class _RealDraw:
    """Graphs (B, F) of a batch; which molecules follows from the seed and the batch number."""

    def __init__(self, data: _Data, layout: Layout, size: int, seed: int) -> None:
        self._data, self._layout, self._seed = data, copy.deepcopy(layout), seed
        self._size = min(size, len(data.atoms))

    def __call__(self, batch: int) -> Tensor:
        rng = np.random.default_rng([self._seed, batch])
        rows = torch.from_numpy(rng.choice(len(self._data.atoms), self._size, replace=False))
        return self._layout.one_hot(self._data.atoms[rows], self._data.pairs[rows])


def _smiles(store: TokenStore, split: str, n: int) -> list[str]:
    """The first molecules of a split, in their canonical writing, which is the first of each."""
    rows = store.rows(split)
    _, first = np.unique(store.molecules[rows], return_index=True)
    return [store.smiles(row) for row in rows[np.sort(first)][:n].tolist()]


def _read(smiles: list[str], layout: Layout, alphabet: GraphAlphabet) -> _Data:
    chunks = [smiles[start : start + _CHUNK] for start in range(0, len(smiles), _CHUNK)]
    pieces, refused = [layout.compact(encode_graphs([], layout.max_atoms, alphabet))], 0
    for chunk in track(chunks, "Reading molecules as graphs", len(smiles), size=len):
        graphs = encode_graphs(chunk, layout.max_atoms, alphabet)
        pieces.append(layout.compact(graphs))
        refused += len(graphs.refused)
    _logger.info(
        "Of %d molecules %d are graphs of at most %d atoms; %d are left out", len(smiles), len(smiles) - refused,
        layout.max_atoms, refused,
    )  # fmt: skip
    return _Data(torch.cat([atoms for atoms, _ in pieces]), torch.cat([pairs for _, pairs in pieces]))


def _measure_drawn(generator: GraphGenerator, alphabet: GraphAlphabet) -> dict[str, float]:
    device = generator.layout.first.device
    random = torch.Generator(device).manual_seed(_MEASURE_SEED)
    noise = torch.randn((_MEASURED_MOLECULES, generator.noise_size), generator=random, device=device)
    return validity(GraphSampler(generator, alphabet).decode(*generator.draw(noise, random, 1.0)))
