"""Drawing molecules from a trained generator, unfiltered, however many.

What is drawn follows from the checkpoint, the parameters and the device: each batch has random numbers of its own,
made from the seed and the batch's number. So a larger ``n`` begins with the molecules of a smaller one (up to its last
whole batch). Another device, another number of threads or another ``batch_size`` draws other molecules of the same
distribution.
"""

import logging
import time
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from medpipe.core.errors import InputError
from medpipe.core.progress import Progress
from medpipe.molecules.generation.params import SampleParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.device import torch_device

GENERATED_COLUMNS = {"smiles": "str"}
_SEED_BITS = 0x7FFF_FFFF_FFFF_FFFF  # torch takes seeds of 63 bits on every device

_logger = logging.getLogger(__name__)


def sample(checkpoint: Checkpoint, params: SampleParams) -> pd.DataFrame:
    """Draw molecules into memory.

    Args:
        checkpoint: What ``train_gan`` made.
        params: How many, and how.

    Returns:
        Column smiles: ``params.n`` strings as they came out, unfiltered: invalid, repeated and empty ones included.
        ``attrs`` says how they were drawn.

    Raises:
        InputError: The checkpoint holds no generator, or there is no such device.
    """
    drawn = [smiles for batch in draw_batches(checkpoint, params) for smiles in batch]
    table = pd.DataFrame({"smiles": drawn}).astype(GENERATED_COLUMNS)
    table.attrs = label(checkpoint, params)
    return table


def draw_batches(checkpoint: Checkpoint, params: SampleParams) -> Iterator[list[str]]:
    """Molecules batch after batch, with progress and the number of molecules drawn in a second.

    Raises:
        InputError: The checkpoint holds no generator, or there is no such device.
    """
    seconds, done = 0.0, 0
    with Progress("Sampling molecules", params.n) as progress:
        for drawn, took in timed_batches(checkpoint, params):
            seconds, done = seconds + took, done + len(drawn)
            yield drawn
            progress.advance(len(drawn), f"{done / seconds:.0f} molecules/s")
    _logger.info(
        "Sampled %d molecules at temperature %g in %.1f s (%.0f molecules/s)",
        params.n, params.temperature, seconds, params.n / seconds,
    )  # fmt: skip


def timed_batches(checkpoint: Checkpoint, params: SampleParams) -> Iterator[tuple[list[str], float]]:
    """As `draw_batches`, without a word: each batch, and the seconds it took.

    Raises:
        InputError: The checkpoint holds no generator, or there is no such device.
    """
    device = _device(params.device)
    sampler = load_sampler(checkpoint).to(device)
    max_tokens = params.max_tokens or sampler.max_tokens
    for batch, first in enumerate(range(0, params.n, params.batch_size)):
        random = torch.Generator(device).manual_seed(_batch_seed(params.seed, batch))
        n, start = min(params.batch_size, params.n - first), time.perf_counter()
        drawn = sampler.draw(n, random, temperature=params.temperature, top_p=params.top_p, max_tokens=max_tokens)
        yield drawn, time.perf_counter() - start


def label(checkpoint: Checkpoint, params: SampleParams) -> dict[Hashable | None, Any]:
    """What travels with the molecules in ``attrs``: what they are, from which generator, and how they were drawn."""
    return {
        "product": "as drawn, unfiltered",
        "generator": checkpoint.fingerprint(),
        "sample": params.model_dump(mode="json"),
    }


def _batch_seed(seed: int, batch: int) -> int:
    return int(np.random.SeedSequence((seed, batch)).generate_state(1, np.uint64)[0]) & _SEED_BITS


def _device(name: str) -> torch.device:
    """The device, if this machine has it.

    Raises:
        InputError: If it has not.
    """
    device = torch_device(name)
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts, with CUDA it raises
        reason = str(error).splitlines()[0]
        raise InputError(
            f"sample.device: {name!r} cannot be used on this machine ({reason}). Set auto, or cpu."
        ) from error
    return device
