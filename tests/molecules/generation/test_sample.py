from pathlib import Path

import pandas as pd
import pytest
import torch
from rdkit import Chem, rdBase

from medpipe.core.errors import InputError
from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.molecules.generation.sequence.params import GeneratorParams, SequenceParams
from medpipe.molecules.generation.to_file import generate
from medpipe.molecules.generation.train import train_gan
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.params import TrainerParams


@pytest.fixture(scope="module")
def checkpoint(store: TokenStore, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    params = GanParams(
        sequence=SequenceParams(generator=GeneratorParams(noise_size=8, embedding_size=48, hidden_size=64)),
        batch_size=32,
        learning_rate=1e-2,
        trainer=TrainerParams(max_steps=200, accelerator="cpu"),
    )
    return train_gan(store, params, tmp_path_factory.mktemp("work")).generator


def params_of(**changes: object) -> SampleParams:
    return SampleParams(**({"n": 250, "batch_size": 100, "device": "cpu"} | changes))


def draw(checkpoint: Checkpoint, **changes: object) -> list[str]:
    return sample(checkpoint, params_of(**changes)).smiles.tolist()


def test_as_many_come_as_were_asked_for(checkpoint: Checkpoint) -> None:
    assert len(draw(checkpoint)) == 250


def test_a_trained_generator_draws_molecules_it_has_not_seen(checkpoint: Checkpoint, store: TokenStore) -> None:
    with rdBase.BlockLogs():
        parsed = [Chem.MolFromSmiles(smiles) for smiles in draw(checkpoint, top_p=0.9)]
    valid = {Chem.MolToSmiles(molecule) for molecule in parsed if molecule is not None}
    assert sum(molecule is not None for molecule in parsed) > 125
    assert valid - {store.smiles(row) for row in store.rows("train")}


def test_the_draw_follows_from_its_seed(checkpoint: Checkpoint) -> None:
    assert draw(checkpoint, seed=1) == draw(checkpoint, seed=1) != draw(checkpoint, seed=2)


def test_a_larger_draw_begins_with_the_smaller_one(checkpoint: Checkpoint) -> None:
    assert draw(checkpoint, n=300)[:200] == draw(checkpoint, n=200)


def test_batches_differ(checkpoint: Checkpoint) -> None:
    drawn = draw(checkpoint, n=200)
    assert drawn[:100] != drawn[100:]


def test_any_seed_will_do(checkpoint: Checkpoint) -> None:
    assert len(draw(checkpoint, n=3, seed=2**70)) == 3


def test_a_low_temperature_narrows_the_choice(checkpoint: Checkpoint) -> None:
    assert len(set(draw(checkpoint, temperature=0.3))) < len(set(draw(checkpoint)))


@pytest.mark.parametrize("temperature", [0.01, 100.0])
def test_the_extreme_temperatures_can_be_drawn_at(checkpoint: Checkpoint, temperature: float) -> None:
    assert len(draw(checkpoint, n=20, temperature=temperature)) == 20


def test_max_tokens_cuts(checkpoint: Checkpoint, store: TokenStore) -> None:
    longest_token = max(map(len, store.vocabulary.texts))
    assert all(len(smiles) <= 2 * longest_token for smiles in draw(checkpoint, max_tokens=2))


def test_the_file_holds_what_is_drawn_and_how(checkpoint: Checkpoint, tmp_path: Path) -> None:
    params = params_of(temperature=0.9)
    generate(checkpoint, params, tmp_path / "generated.parquet")
    read = pd.read_parquet(tmp_path / "generated.parquet")
    pd.testing.assert_frame_equal(read, sample(checkpoint, params))
    assert read.attrs == sample(checkpoint, params).attrs
    assert read.attrs["sample"]["temperature"] == 0.9
    assert "unfiltered" in read.attrs["product"]


def test_a_draw_that_fails_leaves_no_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        generate(Checkpoint("detector", {}, {}), params_of(), tmp_path / "generated.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that the test expects to be missing")
def test_a_device_that_is_not_there_is_named(checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match=r"sample\.device: 'cuda:3' cannot be used"):
        draw(checkpoint, device="cuda:3")
