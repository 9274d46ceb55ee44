"""How fast a training runs, and whether it waits for data."""

import time
from importlib.util import find_spec
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

_BYTES_PER_GB = 1e9


class MeasureSpeed(Callback):
    """Writes speed and use of the GPU into the history.

    ``speed_samples_per_s`` and ``speed_steps_per_s`` (of all processes; validation left out), ``speed_data_wait_share``
    (of the time, spent between one step and the next: reading, and copying to the device), and on a GPU
    ``gpu_memory_gb`` (highest since the last point) and ``gpu_use_percent`` (needs the package nvidia-ml-py).

    Comes last among the callbacks: what others do at the end of a batch is no waiting for data.

    Args:
        every_n_batches: Distance of the points.
    """

    def __init__(self, every_n_batches: int) -> None:
        self._every = every_n_batches
        self._since = self._idle_since = self._paused_at = self._waited_s = 0.0
        self._samples = self._first_step = 0
        self._has_nvml = find_spec("pynvml") is not None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self._restart(trainer)

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch is here."""
        self._waited_s += time.perf_counter() - self._idle_since

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Counts; writes the point when it is time."""
        self._samples += _n_samples(batch) * trainer.world_size
        self._idle_since = time.perf_counter()
        if (trainer.fit_loop.total_batch_idx + 1) % self._every == 0 and trainer.logger is not None:
            trainer.logger.log_metrics(self._values(trainer), trainer.global_step - 1)
            self._restart(trainer)

    def on_validation_start(self, *_: Any) -> None:
        """Stops the clock."""
        self._paused_at = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        """Lets it go on."""
        pause = time.perf_counter() - self._paused_at
        self._since += pause
        self._idle_since += pause

    def _restart(self, trainer: pl.Trainer) -> None:
        self._since = self._idle_since = time.perf_counter()
        self._waited_s, self._samples, self._first_step = 0.0, 0, trainer.global_step

    def _values(self, trainer: pl.Trainer) -> dict[str, float]:
        device = trainer.strategy.root_device
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.synchronize(device)  # steps that are only queued are not yet done
        seconds = time.perf_counter() - self._since
        values = {
            "speed_samples_per_s": self._samples / seconds,
            "speed_steps_per_s": (trainer.global_step - self._first_step) / seconds,
            "speed_data_wait_share": self._waited_s / seconds,
        }
        if on_gpu:
            values["gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / _BYTES_PER_GB
            torch.cuda.reset_peak_memory_stats(device)
            if self._has_nvml:
                values["gpu_use_percent"] = float(torch.cuda.utilization(device))
        return values


def _n_samples(batch: Any) -> int:
    """Length of the first tensor that has one."""
    tensors = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (list, tuple)) else [batch]
    return next((len(value) for value in tensors if isinstance(value, Tensor) and value.ndim), 1)
