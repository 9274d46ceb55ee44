"""The processes that train together (DDP): how many there are, which one this is, and what they count together.

Each process has its part of the global batch: n processes with batches of b learn what one process with a batch of
n x b learns. For that, chance is drawn for the global batch and each process takes its part of the draws; and a loss
that divides by a count divides by the count of all.
"""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def rank() -> int:
    """Number of this process, or of the process whose data it reads, among those that train together."""
    if not _together():
        return _from_variables()[0]
    import torch

    return torch.distributed.get_rank()


def world_size() -> int:
    """How many processes train together."""
    if not _together():
        return _from_variables()[1]
    import torch

    return torch.distributed.get_world_size()


def share(n: int) -> tuple[int, slice]:
    """Size of the global batch, and the part of it that is this process's.

    Args:
        n: Samples that each process takes.
    """
    number = rank()
    return n * world_size(), slice(number * n, (number + 1) * n)


def mean_count(count: "Tensor") -> "Tensor":
    """What each process divides its sum by, so that the mean over the processes is the sum of all by the count of all.

    All processes must call it alike often.

    Args:
        count: What this process counted, such as its nodules: a scalar.

    Returns:
        The mean over the processes, where all of them together count at least one; without gradient.
    """
    if not _together():
        return count.detach().clamp(min=1.0)
    import torch

    total = count.detach().float().clone()
    torch.distributed.all_reduce(total)
    return total.clamp(min=1.0) / torch.distributed.get_world_size()


def _together() -> bool:
    """The runner asks, too, and most commands need no torch: nobody trains who has not imported it."""
    if "torch" not in sys.modules:
        return False
    import torch

    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _from_variables() -> tuple[int, int]:
    """Data are also read by worker processes, which belong to no group."""
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:  # set by torchrun, and by us for our own processes
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return 0, 1
