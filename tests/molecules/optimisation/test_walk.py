"""Children by steps in the latent space."""

import torch

from medpipe.molecules.generation.latent.model import load_latent_model
from medpipe.molecules.optimisation.params import WalkParams
from medpipe.molecules.optimisation.walk import LatentWalk
from medpipe.training.checkpoint import Checkpoint

CPU = torch.device("cpu")
PARENTS = ["CCO", "Cc1ccccc1", "CCO", "C[Se]C"]


def test_a_step_of_no_length_decodes_the_parent(latent_model: Checkpoint) -> None:
    model = load_latent_model(latent_model)
    stays = model.decode(model.encode(PARENTS[:2]), torch.Generator().manual_seed(0))
    children = LatentWalk(latent_model, WalkParams(step_low=1e-6, step_high=1e-6), CPU)(PARENTS, seed=0)
    assert children[:3] == [stays[0], stays[1], stays[0]]
    assert children[3] == ""


def test_chance_follows_from_the_seed(latent_model: Checkpoint) -> None:
    walk = LatentWalk(latent_model, WalkParams(step_low=3, step_high=3), CPU)
    assert walk(PARENTS * 5, seed=1) == walk(PARENTS * 5, seed=1)
    assert walk(PARENTS * 5, seed=1) != walk(PARENTS * 5, seed=2)


def test_nothing_begins_with_nothing(latent_model: Checkpoint) -> None:
    walk = LatentWalk(latent_model, WalkParams(), CPU)
    assert len(walk.draw(3, seed=0)) == 3
    assert walk(["C[Se]C"], seed=0) == [""]
