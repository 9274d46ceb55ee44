import pytest
from rdkit import Chem, rdBase

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.molecules.generation.sequence.params import GeneratorParams, SequenceParams
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
    return train_gan(store, params, tmp_path_factory.mktemp("work"))[0]


def draw(checkpoint: Checkpoint, **changes: object) -> list[str]:
    return sample(
        checkpoint, SampleParams(**({"n": 250, "batch_size": 100, "device": "cpu"} | changes))
    ).smiles.tolist()


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


def test_a_low_temperature_narrows_the_choice(checkpoint: Checkpoint) -> None:
    assert len(set(draw(checkpoint, temperature=0.3))) < len(set(draw(checkpoint)))


def test_max_tokens_cuts(checkpoint: Checkpoint, store: TokenStore) -> None:
    longest_token = max(map(len, store.vocabulary.texts))
    assert all(len(smiles) <= 2 * longest_token for smiles in draw(checkpoint, max_tokens=2))
