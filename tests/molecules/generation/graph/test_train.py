from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.encode import encode
from medpipe.molecules.encoding.params import EncodeParams
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.gan import DirectGan
from medpipe.molecules.generation.direct.params import DirectParams
from medpipe.molecules.generation.graph import train as train_module
from medpipe.molecules.generation.graph.model import load_graph_sampler
from medpipe.molecules.generation.graph.params import GraphDiscriminatorParams, GraphGeneratorParams, GraphParams
from medpipe.molecules.generation.graph.warm_start import GraphWarmStart, branch_step
from medpipe.molecules.generation.params import BandParams, GanParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.molecules.generation.train import Trained, train_gan
from medpipe.training.params import TrainerParams


def small(steps: int, adversarial_steps: int, max_atoms: int = 12) -> GanParams:
    return GanParams(
        family="graph",
        graph=GraphParams(
            max_atoms=max_atoms,
            generator=GraphGeneratorParams(noise_size=16, hidden_size=64, n_layers=2),
            discriminator=GraphDiscriminatorParams(hidden_size=16, n_layers=2),
            adversarial=DirectParams(steps=adversarial_steps, batch_size=32),
            kl_weight=0.1,
        ),
        accuracy_band=BandParams(low=0.0),
        batch_size=64,
        learning_rate=3e-3,
        warm_up_steps=5,
        validate_every_n_steps=0,
        trainer=TrainerParams(max_steps=steps, log_every_n_steps=5, checkpoint_every_n_steps=7, accelerator="cpu"),
    )


@pytest.fixture(autouse=True)
def _measure_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "_MEASURED_MOLECULES", 30)


@pytest.fixture(scope="module")
def trained(store: TokenStore, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_gan(store, small(400, 40), tmp_path_factory.mktemp("graph"))


def course(history: pd.DataFrame, name: str) -> pd.Series:
    return history[history.name == name].set_index("step").value


def test_the_control_learns_what_molecules_are(trained: Trained) -> None:
    """An untrained one draws a molecule about never."""
    control = load_graph_sampler(trained.control)
    drawn = control.draw(100, torch.Generator().manual_seed(0), temperature=0.3, top_p=1.0, max_tokens=12)
    assert sum(map(bool, drawn)) >= 20


def test_the_history_tells_both_stages(trained: Trained) -> None:
    history = trained.history
    assert course(history, "train_nll").iloc[-1] < 0.5 * course(history, "train_nll").iloc[0]
    assert course(history, "control_sample_validity").index.tolist() == [400]
    assert course(history, "discriminator_accuracy").index.min() > 200
    assert history.value.notna().all()
    assert 0 < trained.generator.provenance["molecules"] < 512


def test_generator_and_control_part_at_the_branch(trained: Trained) -> None:
    names = trained.control.weights
    assert trained.generator.weights.keys() == names.keys()
    assert any(not torch.equal(trained.generator.weights[name], names[name]) for name in names)


@pytest.mark.parametrize(("share", "step"), [(0.0, 0), (0.5, 5), (0.99, 9)])
def test_there_is_a_branch_before_the_end(share: float, step: int) -> None:
    params = small(10, 2)
    graph = params.graph.model_copy(update={"warm_start_share": share})
    assert branch_step(params.model_copy(update={"graph": graph})) == step


def test_sampling_repeats_itself(trained: Trained) -> None:
    sampler = load_sampler(trained.generator)
    drawn = [
        sampler.draw(20, torch.Generator().manual_seed(3), temperature=1.0, top_p=1.0, max_tokens=12) for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 20


def test_what_means_nothing_to_graphs_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match="top_p"):
        load_sampler(trained.generator).draw(2, torch.Generator(), temperature=1.0, top_p=0.5, max_tokens=12)


def test_molecules_too_large_are_counted_out(store: TokenStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"molecules of train have at most 3 heavy atoms.*graph\.max_atoms"):
        train_gan(store, small(2, 2, max_atoms=3), tmp_path)


def test_without_held_out_molecules_nothing_is_said_of_them(tmp_path: Path) -> None:
    table = pd.DataFrame({"smiles": ["CCO", "CCN", "CCC", "CC=O"], "split": ["train"] * 4})
    store = encode(table, EncodeParams(n_merges=0), tmp_path / "store")
    trained = train_gan(store, small(4, 4), tmp_path / "work")
    assert "val_nll" not in set(trained.history.name)


def test_the_anchor_keeps_what_likelihood_taught(store: TokenStore, tmp_path: Path) -> None:
    """Nats a molecule at the end of the adversarial stage, with an anchor and with next to none."""
    params = small(150, 150)
    nats = []
    for weight in (1e-6, 0.1):
        adversarial = DirectParams(steps=150, batch_size=32, learning_rate=2e-3)
        graph = params.graph.model_copy(update={"likelihood_weight": weight, "adversarial": adversarial})
        history = train_gan(store, params.model_copy(update={"graph": graph}), tmp_path / str(weight)).history
        nats.append(course(history, "anchor_loss").iloc[-5:].mean() / weight)
    assert nats[1] < 0.8 * nats[0]


class Killed(Exception):
    """What a test stops a training with."""


@pytest.mark.parametrize(("stage", "batch"), [(GraphWarmStart, 5), (GraphWarmStart, 10), (DirectGan, 5)])
def test_a_killed_training_ends_as_if_it_had_not_been(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: type, batch: int
) -> None:
    whole = train_gan(store, small(16, 16), tmp_path / "whole")
    step = stage.training_step

    def dies(self: GraphWarmStart, real: torch.Tensor, batch_idx: int) -> None:
        if self.n_batches_seen == batch:
            raise Killed
        step(self, real, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "training_step", dies)
        with pytest.raises(Killed):
            train_gan(store, small(16, 16), tmp_path / "killed")
    resumed = train_gan(store, small(16, 16), tmp_path / "killed")
    for which in ("generator", "control"):
        for name, weight in getattr(whole, which).weights.items():
            torch.testing.assert_close(getattr(resumed, which).weights[name], weight)
