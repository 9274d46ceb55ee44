"""Drawing molecules from a trained generator, unfiltered."""

import logging
import time

import pandas as pd
import torch

from medpipe.core.progress import track
from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.training.checkpoint import Checkpoint

GENERATED_COLUMNS = {"smiles": "str"}

_logger = logging.getLogger(__name__)


def sample(checkpoint: Checkpoint, params: SampleParams) -> pd.DataFrame:
    """Draw molecules.

    Args:
        checkpoint: What ``train_gan`` made.
        params: How many, and how.

    Returns:
        Column smiles: ``params.n`` strings as they came out, unfiltered: invalid, repeated and empty ones included.

    Raises:
        InputError: The checkpoint holds no generator.
    """
    device = _device(params.device)
    sampler = load_sampler(checkpoint).to(device)
    random = torch.Generator(device).manual_seed(params.seed)
    max_tokens = params.max_tokens or sampler.max_tokens
    start = time.perf_counter()
    smiles: list[str] = []
    for first in track(range(0, params.n, params.batch_size), "Sampling molecules"):
        n = min(params.batch_size, params.n - first)
        smiles += sampler.draw(n, random, temperature=params.temperature, top_p=params.top_p, max_tokens=max_tokens)
    seconds = time.perf_counter() - start
    _logger.info(
        "Sampled %d molecules at temperature %g in %.1f s (%.0f molecules/s)",
        params.n, params.temperature, seconds, params.n / seconds,
    )  # fmt: skip
    return pd.DataFrame({"smiles": smiles}).astype(GENERATED_COLUMNS)


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
