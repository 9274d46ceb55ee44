"""Batches for training: numbered by the step, so that a resumed run sees what it would have seen."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

BATCHES_AHEAD = 4
"""Batches that each worker prepares before they are asked for: evens out scans that take longer to read."""


SERIES_UIDS = "series_uids"
"""Entry of a batch that says which scans it was cut from, a list of str; errors in training name them."""


class StepSampler(Sampler[int]):
    """Numbers of the next batches up to the end of the epoch, starting at the step the training has reached.

    Args:
        current_step: Returns that step; asked each time an epoch starts or goes on.
        epoch_steps: Steps an epoch.
    """

    def __init__(self, current_step: Callable[[], int], epoch_steps: int) -> None:
        self._current_step = current_step
        self._epoch_steps = epoch_steps

    def __iter__(self) -> Iterator[int]:
        step = self._current_step()
        return iter(range(step, (step // self._epoch_steps + 1) * self._epoch_steps))

    def __len__(self) -> int:
        return self._epoch_steps


class StepLoader(DataLoader[dict[str, Any]]):
    """Data loader whose place is the training's step counter: it resumes exactly and has no state of its own."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: see the class."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to restore."""


def loader(batches: Dataset[dict[str, Any]], steps: Sampler[int] | range, n_workers: int) -> StepLoader:
    """Data loader over the batches numbered ``steps``, in this order whatever ``n_workers`` is.

    Args:
        batches: What is read.
        steps: Which.
        n_workers: Processes that read ahead while the device computes; they live as long as the loader. 0 reads in this
            process.
    """
    return StepLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=n_workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=n_workers > 0,
        prefetch_factor=BATCHES_AHEAD if n_workers > 0 else None,
        generator=torch.Generator(),  # its own: a loader that starts anew draws a seed, which dropout must not feel
    )
