"""A detector that was trained before."""

from pathlib import Path

import pandas as pd

from medpipe.core.errors import InputError
from medpipe.nodules.detection.inference import KIND
from medpipe.training.checkpoint import Checkpoint

HISTORY_DTYPES = {"step": "int64", "name": "str", "value": "float64"}


def take_detector(path: Path) -> tuple[Checkpoint, pd.DataFrame]:
    """Reads a trained detector in place of training one.

    Args:
        path: A detector's ``.safetensors`` file.

    Returns:
        The checkpoint, and a history without points.

    Raises:
        InputError: If there is no such file, or it is no detector.
    """
    if not path.is_file():
        raise InputError(
            f"pretrained_detector: {path} does not exist. Train one first (kedro run --pipeline=imaging), or give the "
            "path of another .safetensors file."
        )
    history = pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in HISTORY_DTYPES.items()})
    return Checkpoint.load(path, KIND), history
