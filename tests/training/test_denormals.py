import torch

from medpipe.training.denormals import flushed_denormals

SMALL = torch.tensor(1e-40)


def test_what_is_too_small_is_nothing_inside_and_something_afterwards() -> None:
    with flushed_denormals():
        assert float(SMALL * 1) == 0
    assert float(SMALL * 1) > 0
