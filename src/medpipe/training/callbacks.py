"""What happens beside the training steps: progress, checkpoints, history."""

import os
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from medpipe.core.progress import Progress
from medpipe.training.history import History


class ShowProgress(Callback):
    """A bar over optimizer steps with the time left and the newest losses."""

    def __init__(self, description: str, max_steps: int) -> None:
        self._progress = Progress(description, max_steps)
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the bar, at the step from which a resumed run goes on; one for all processes."""
        if not trainer.is_global_zero:
            return
        self._progress.__enter__()
        self._progress.skip(trainer.global_step)
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Moves the bar."""
        if trainer.is_global_zero:
            self._advance(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        if trainer.is_global_zero:
            self._progress.__exit__(None, None, None)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the bar so that the error is read below it."""
        if trainer.is_global_zero:
            self._progress.__exit__(type(exception), exception, None)

    def _advance(self, trainer: pl.Trainer) -> None:
        note = "  ".join(f"{name} {float(value):.4g}" for name, value in list(trainer.progress_bar_metrics.items())[:4])
        self._progress.advance(trainer.global_step - self._seen, note)
        self._seen = trainer.global_step


class KeepLast(Callback):
    """Writes the state of the unfinished run every so many optimizer steps, atomically.

    Where a validation follows the step, it is waited for: a run that goes on from before it would leave it out.
    """

    def __init__(self, path: Path, every_n_steps: int) -> None:
        self._path = path
        self._every = every_n_steps
        self._saved = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Counts from where a resumed run goes on."""
        self._saved = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Saves when it is time. All processes take part: a strategy may have to gather the state."""
        ends_epoch = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if not (ends_epoch and any(trainer.num_val_batches)):
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves when it was time at the step before."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step - self._saved < self._every:
            return
        self._saved = trainer.global_step
        if not trainer.validating:
            # Lightning logs a step after the callbacks; a resumed run needs this step's point in its history
            trainer._logger_connector.update_train_step_metrics()
        temporary = self._path.with_suffix(".part")
        trainer.save_checkpoint(temporary, weights_only=False)
        if trainer.is_global_zero:
            os.replace(temporary, self._path)


class KeepHistory(Callback):
    """Puts the history into every checkpoint and takes it out again."""

    def __init__(self, history: History) -> None:
        self._history = history

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoint."""
        return {"rows": self._history.rows()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the points of the part before the interruption."""
        self._history.restore([(step, name, value) for step, name, value in state_dict["rows"]])


class KeepRandomState(Callback):
    """Puts the state of torch's random numbers into every checkpoint, and back before the first step that follows it.

    Dropout draws from it, so without it a resumed training would be another one.
    """

    def __init__(self) -> None:
        self._resumed: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoint."""
        return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Waits with it: what happens before the first step, such as the start of the data loader, may draw too."""
        self._resumed = state_dict

    def on_train_batch_start(self, *_: Any) -> None:
        """Restores."""
        if self._resumed is not None:
            torch.set_rng_state(self._resumed["cpu"].cpu())
            if len(self._resumed["cuda"]) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all([state.cpu() for state in self._resumed["cuda"]])
            self._resumed = None
