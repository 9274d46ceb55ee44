"""Ends a training that no longer improves, with the weights of its best validation."""

import logging
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from medpipe.core.errors import InputError
from medpipe.training.params import EarlyStoppingParams

_logger = logging.getLogger(__name__)


class StopEarly(EarlyStopping):
    """Lightning's early stopping after each validation, which also brings the best weights back at the end.

    Best score, patience used up and best weights travel in the checkpoints, so that a resumed run stops where the
    uninterrupted one does and with the same weights.
    """

    def __init__(self, params: EarlyStoppingParams) -> None:
        super().__init__(
            params.metric,
            min_delta=params.min_delta,
            patience=params.patience,
            mode=params.mode,
            check_on_train_epoch_end=False,
        )
        self._best_weights: dict[str, Tensor] | None = None
        self._best_step = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remembers the weights if the metric improved, and says stop if it has not for too long.

        Raises:
            InputError: If there is no such metric.
        """
        if self.monitor not in trainer.callback_metrics:
            known = ", ".join(sorted(trainer.callback_metrics))
            raise InputError(
                f"early_stopping.metric is {self.monitor!r}, which nobody measures; choose one of: {known}."
            )
        before = self.best_score
        super().on_validation_end(trainer, pl_module)
        if self.best_score is not before:
            self._best_step = trainer.global_step
            self._best_weights = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Brings the best weights back."""
        if self._best_weights is not None:
            pl_module.load_state_dict(self._best_weights)
            text = "The weights of step %d of %d are kept: %s was best there (%.4g)"
            _logger.info(text, self._best_step, trainer.global_step, self.monitor, float(self.best_score))

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoint."""
        return {**super().state_dict(), "best_weights": self._best_weights, "best_step": self._best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what the part before the interruption knew."""
        super().load_state_dict(state_dict)
        self._best_weights, self._best_step = state_dict["best_weights"], state_dict["best_step"]
