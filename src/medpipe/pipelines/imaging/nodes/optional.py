"""Networks that are trained where the data allow it, given, or left out."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError, NothingToLearnError
from medpipe.nodules.findings.params import ModelFiles
from medpipe.training.checkpoint import Checkpoint

Trained = tuple[Checkpoint, pd.DataFrame]
"""A network and the history of its training."""

_logger = logging.getLogger(__name__)


def train_or_take(role: str, given: ModelFiles, train: Callable[[], Trained]) -> Trained:
    """Trains a network, or takes a trained one; one that is not given, or has nothing to learn from, is left out.

    Args:
        role: What the network does, a name of `medpipe.nodules.findings.models.KINDS`.
        given: Files of trained networks; without any, the network is trained.
        train: The training.

    Returns:
        The checkpoint, which may stand for an absent network, and the history.

    Raises:
        InputError: If there is no such file, or it holds another kind.
    """
    from medpipe.nodules.findings.models import KINDS
    from medpipe.training.history import empty_history

    kind, files = KINDS[role], given.model_dump()
    if any(file is not None for file in files.values()):
        if (file := files[role]) is None:
            return Checkpoint.absent(kind, "Trained networks were given, but none for this."), empty_history()
        if not file.expanduser().is_file():
            raise InputError(
                f"pretrained.{role}: {file} does not exist. Train one first (kedro run --pipeline=imaging), or give "
                "the path of another .safetensors file."
            )
        return Checkpoint.load(file.expanduser(), kind), empty_history()
    try:
        return train()
    except NothingToLearnError as error:
        _logger.warning("Trained without a %s: %s", role, error)
        return Checkpoint.absent(kind, str(error)), empty_history()


def present(checkpoint: Checkpoint) -> Checkpoint | None:
    """The checkpoint, or None where it stands for an absent network."""
    return checkpoint if checkpoint.reason_absent is None else None


def emptied(folder: Path) -> Path:
    """A folder without what an earlier run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
