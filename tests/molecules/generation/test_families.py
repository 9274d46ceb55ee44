"""Every family with every loss: some steps of each, whose course is sane, and molecules drawn from what came out."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.graph import train as graph_train
from medpipe.molecules.generation.graph.params import GraphDiscriminatorParams, GraphGeneratorParams, GraphParams
from medpipe.molecules.generation.latent import train as latent_train
from medpipe.molecules.generation.latent.params import EncoderParams, LatentParams, PriorParams
from medpipe.molecules.generation.params import BandParams, GanParams, LossParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.molecules.generation.sequence import train as sequence_train
from medpipe.molecules.generation.sequence.params import AdversarialParams, GeneratorParams, SequenceParams
from medpipe.molecules.generation.train import train_gan
from medpipe.training.params import TrainerParams

FAMILIES = ("sequence", "latent", "graph")
KINDS = ("minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic")
DIRECT = DirectParams(steps=60, batch_size=32, learning_rate=1e-3, discriminator_learning_rate=5e-3)
SHAPE = GeneratorParams(noise_size=8, embedding_size=16, hidden_size=24)


def small(family: str, kind: str) -> GanParams:
    graph = GraphParams(
        max_atoms=10,
        generator=GraphGeneratorParams(noise_size=8, hidden_size=32, n_layers=1),
        discriminator=GraphDiscriminatorParams(hidden_size=12, n_layers=2),
        adversarial=DIRECT,
    )
    latent = LatentParams(
        encoder=EncoderParams(embedding_size=16, hidden_size=24),
        decoder=SHAPE,
        prior=PriorParams(hidden_size=24, n_blocks=2),
        adversarial=DIRECT,
    )
    sequence = SequenceParams(generator=SHAPE, adversarial=AdversarialParams(share=0.8, head_start_steps=3))
    return GanParams(
        family=family,  # type: ignore[arg-type]
        loss=LossParams(kind=kind),  # type: ignore[arg-type]
        accuracy_band=BandParams(low=0.0, high=0.9),
        sequence=sequence,
        latent=latent,
        graph=graph,
        batch_size=32,
        learning_rate=5e-3,
        warm_up_steps=2,
        validate_every_n_steps=0,
        trainer=TrainerParams(max_steps=16, log_every_n_steps=1, accelerator="cpu"),
    )


@pytest.fixture(autouse=True)
def _measure_little(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sequence_train, latent_train, graph_train):
        monkeypatch.setattr(module, "_MEASURED_MOLECULES", 10)


def course(history: pd.DataFrame, name: str) -> pd.Series:
    return history[history.name == name].sort_values("step").value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_loss_trains_every_family(family: str, kind: str, store: TokenStore, tmp_path: Path) -> None:
    generator, control, history = train_gan(store, small(family, kind), tmp_path)
    assert generator.provenance["discriminator_steps"] > 0
    assert len(course(history, "discriminator_loss")) >= 8
    assert history.value.map(torch.tensor).map(torch.isfinite).all()
    for checkpoint in (generator, control):
        assert checkpoint.params["family"] == family
        assert all(weight.isfinite().all() for weight in checkpoint.weights.values())
        sampler = load_sampler(checkpoint)
        random = torch.Generator().manual_seed(0)
        drawn = sampler.draw(5, random, temperature=1.0, top_p=1.0, max_tokens=sampler.max_tokens)
        assert len(drawn) == 5


@pytest.mark.parametrize("family", ["latent", "graph"])
def test_the_gradient_penalty_brings_the_gradient_near_one(family: str, store: TokenStore, tmp_path: Path) -> None:
    _, _, history = train_gan(store, small(family, "wasserstein_gp"), tmp_path)
    norms = course(history, "gradient_norm")
    assert abs(norms.iloc[-5:].mean() - 1) < 0.35
