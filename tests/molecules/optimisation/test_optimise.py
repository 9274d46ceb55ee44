"""The search as a whole, by each method."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from medpipe.core.errors import InputError
from medpipe.molecules.optimisation import policy as policy_module
from medpipe.molecules.optimisation.optimise import Optimised, optimise
from medpipe.molecules.optimisation.params import OptimiseParams
from medpipe.training.checkpoint import Checkpoint

STARTS = pd.DataFrame({"smiles": ["Cc1ccccc1", "CCOc1ccccc1"]})
SCRATCH = pd.DataFrame({"smiles": pd.Series([], dtype="str")})
SIZE = {"kind": "heavy_atoms", "transform": {"type": "sigmoid", "low": 0, "high": 20}}


def params(method: str, **changes: object) -> OptimiseParams:
    values: dict = {
        "method": method,
        "scoring": {"components": {"size": SIZE}, "n_jobs": 1},
        "evolution": {"generations": 2, "children": 15, "parents": 3, "min_similarity": 0.1},
        "policy": {
            "batch_size": 16,
            "learning_rate": 1e-2,
            "replay_batch": 4,
            "trainer": {"max_steps": 12, "log_every_n_steps": 3, "checkpoint_every_n_steps": 2, "accelerator": "cpu"},
        },
        "keep": 3,
    }
    return OptimiseParams(**(values | changes))


def test_completion_from_starts(generator: Checkpoint, tmp_path: Path) -> None:
    done = optimise(generator, STARTS, params("completion"), tmp_path)
    assert set(done.table[done.table["rank"] == 0].smiles) == set(STARTS.smiles)
    assert done.table.groupby("start").size().max() <= 4
    assert done.metrics["n_starts"] == 2
    assert done.metrics["drawn"] == 2 + 2 * 2 * 15
    assert done.tuned.reason_absent is not None
    assert not list(tmp_path.rglob("*.parquet"))


def test_latent_from_scratch(latent_model: Checkpoint, tmp_path: Path) -> None:
    done = optimise(latent_model, SCRATCH, params("latent"), tmp_path)
    assert done.metrics["drawn"] > 0
    assert (done.table["rank"] > 0).all()


@pytest.fixture(scope="module")
def tuned(generator: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Optimised:
    """Fine-tuned for a few steps."""
    return optimise(generator, SCRATCH, params("policy"), tmp_path_factory.mktemp("policy"))


def test_policy_moves_the_agent_and_not_the_prior(generator: Checkpoint, tuned: Optimised) -> None:
    before, after = generator.weights["embedding.weight"], tuned.tuned.weights["embedding.weight"]
    assert not torch.equal(before, after)
    assert set(tuned.tuned.weights) == set(generator.weights)
    assert tuned.tuned.provenance["tuned_from"] == generator.fingerprint()


def test_policy_counts_all_it_drew(tuned: Optimised) -> None:
    assert tuned.metrics["drawn"] == 12 * 16
    assert tuned.metrics["drawn"] == tuned.metrics["invalid"] + tuned.metrics["scored"]
    assert not tuned.table.smiles.duplicated().any()
    assert tuned.table.score.is_monotonic_decreasing


class Killed(Exception):
    """What a test stops a training with."""


def test_a_killed_tuning_ends_as_if_it_had_not_been(
    generator: Checkpoint, tuned: Optimised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = policy_module.PolicyTuning.training_step

    def dies(self: policy_module.PolicyTuning, number: int, batch_idx: int) -> torch.Tensor:
        if number == 7:
            raise Killed
        return step(self, number, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(policy_module.PolicyTuning, "training_step", dies)
        with pytest.raises(Killed):
            optimise(generator, SCRATCH, params("policy"), tmp_path)
    resumed = optimise(generator, SCRATCH, params("policy"), tmp_path)
    pd.testing.assert_frame_equal(resumed.table, tuned.table)
    assert resumed.metrics == tuned.metrics
    for name, weight in tuned.tuned.weights.items():
        torch.testing.assert_close(resumed.tuned.weights[name], weight)


@pytest.mark.parametrize(
    ("method", "start", "message"),
    [
        ("latent", STARTS, "latent needs a generator of the family latent, this one is of 'sequence'"),
        ("policy", STARTS, "policy begins from scratch"),
    ],
)
def test_a_method_that_cannot_be_done_is_refused(
    generator: Checkpoint, tmp_path: Path, method: str, start: pd.DataFrame, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        optimise(generator, start, params(method), tmp_path)


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its kind is 'nodule_detector', expected 'smiles_generator'"):
        optimise(Checkpoint("nodule_detector", {}, {}), STARTS, params("completion"), tmp_path)
