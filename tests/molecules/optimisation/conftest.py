"""Generators for tests: they know the tokens and the grammar, and little else."""

import pytest
import torch

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.latent.model import LatentModel
from medpipe.molecules.generation.latent.params import LatentParams
from medpipe.molecules.generation.sequence.networks import Generator, generator_checkpoint
from medpipe.molecules.generation.sequence.params import GeneratorParams
from medpipe.training.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def generator(store: TokenStore) -> Checkpoint:
    """An untrained generator of token sequences."""
    torch.manual_seed(0)
    params = GeneratorParams(noise_size=4, embedding_size=16, hidden_size=16)
    return generator_checkpoint(Generator(params, store.vocabulary), params, store.vocabulary, store.longest, {})


@pytest.fixture(scope="session")
def latent_model(store: TokenStore) -> Checkpoint:
    """An untrained autoencoder."""
    torch.manual_seed(0)
    return LatentModel(LatentParams(), store.vocabulary, store.longest, adversarial=False).checkpoint({})
