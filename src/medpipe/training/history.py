"""The course of a training: what was logged, step by step, kept across interruptions."""

from typing import Any

import pandas as pd
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

COLUMNS = {"step": "int64", "name": "str", "value": "float64"}


class History(Logger):
    """A Lightning logger that keeps metrics as a table: one row a (step, name) with its value.

    Its content travels inside the checkpoints of an unfinished run, so that a resumed run has the points of the part
    before it, and no others.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[tuple[int, str], float] = {}

    @property
    def name(self) -> str:
        """Name that Lightning shows."""
        return "history"

    @property
    def version(self) -> str:
        """There is one history a run."""
        return "0"

    @property
    def save_dir(self) -> str | None:
        """Nothing is written by the logger itself."""
        return None

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Parameters are kept with the checkpoint, not here."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Takes what the module logs."""
        for name, value in metrics.items():
            if name != "epoch":
                self._rows[int(step or 0), name] = float(value)

    def rows(self) -> list[tuple[int, str, float]]:
        """All points as (step, name, value)."""
        return [(step, name, value) for (step, name), value in sorted(self._rows.items())]

    def restore(self, rows: list[tuple[int, str, float]]) -> None:
        """Replaces all points by those of an earlier part of the run."""
        self._rows = {(step, name): value for step, name, value in rows}

    def table(self) -> pd.DataFrame:
        """Columns step, name, value; sorted by step and name."""
        return pd.DataFrame(self.rows(), columns=list(COLUMNS)).astype(COLUMNS)


def empty_history() -> pd.DataFrame:
    """The history of a network that was not trained here."""
    return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
