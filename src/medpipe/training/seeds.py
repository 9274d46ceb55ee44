"""Seeds of every random number generator in use."""


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and torch on all devices."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries below us draw from NumPy's global state
    torch.manual_seed(seed)
