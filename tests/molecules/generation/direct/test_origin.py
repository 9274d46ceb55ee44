from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.direct.origin import adversarial_key, likelihood_key, on_one_device
from medpipe.molecules.generation.params import GanParams, LossParams
from medpipe.training.params import TrainerParams


def test_another_loss_needs_only_the_adversarial_stage_again(store: TokenStore) -> None:
    one, other = GanParams(), GanParams(loss=LossParams(kind="relativistic"))
    assert likelihood_key(store, one) == likelihood_key(store, other)
    assert adversarial_key(store, one) != adversarial_key(store, other)


def test_another_seed_needs_everything_again(store: TokenStore) -> None:
    one, other = (GanParams(trainer=TrainerParams(max_steps=10, seed=seed)) for seed in (0, 1))
    assert likelihood_key(store, one) != likelihood_key(store, other)


def test_one_device() -> None:
    several = GanParams(trainer=TrainerParams(max_steps=10, devices=4, num_nodes=2))
    assert on_one_device(several).trainer == TrainerParams(max_steps=10, devices=1)
