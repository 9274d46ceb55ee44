"""The one training loop: Lightning's Trainer, set up for any device, with progress, history and resume."""

import json
import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import torch

from medpipe.core.atomic import remove_leftovers, write_json
from medpipe.core.errors import InputError
from medpipe.training.batch_norm import GlobalBatchNorm
from medpipe.training.callbacks import KeepHistory, KeepLast, KeepRandomState, ShowProgress
from medpipe.training.distributed import cluster_environment, first_decides, in_processes, processes_to_start
from medpipe.training.early_stopping import StopEarly
from medpipe.training.guard import StopAtNaN
from medpipe.training.history import History
from medpipe.training.params import TrainerParams
from medpipe.training.seeds import seed_everything
from medpipe.training.speed import MeasureSpeed

RUN_FILE = "run.json"
LAST = "last.ckpt"

_logger = logging.getLogger(__name__)


def fit(
    module: pl.LightningModule,
    train_batches: Iterable[Any],
    *,
    params: TrainerParams,
    work_dir: Path,
    run_key: str,
    val_batches: Iterable[Any] | None = None,
    description: str = "training",
) -> pd.DataFrame:
    """Trains ``module`` until ``params.max_steps`` and returns its history; a killed run goes on where it was.

    Args:
        module: What is trained; its ``global_step`` counts optimizer steps. All that must survive the training lies in
            its ``state_dict``.
        train_batches: Batches. Their content must follow from the seed and the step, so that a resumed run sees what
            it would have seen.
        params: Set-up of the Trainer.
        work_dir: Where checkpoints of the unfinished run lie.
        run_key: Digest of parameters and data. Checkpoints in ``work_dir`` under another key are discarded.
        val_batches: Batches for ``module.validation_step``, if it has one.
        description: What the user reads beside the progress bar.

    Returns:
        Columns step (int64), name (str), value (float64): all that the module logged, and `MeasureSpeed`.

    Raises:
        InputError: The loss or its gradient is no number, or early stopping has nothing to look at.
    """
    if params.early_stopping is not None and val_batches is None:
        raise InputError(
            f"early_stopping.metric is {params.early_stopping.metric!r}, but there are no validation data: give some, "
            "or leave early_stopping out."
        )
    n_processes = processes_to_start(params)
    resume_from = first_decides(partial(_prepare, work_dir, run_key))
    train = partial(_train, module, train_batches, val_batches, params, work_dir, resume_from, description)
    return train() if n_processes == 1 else in_processes(n_processes, train, module, work_dir)


def _train(
    module: pl.LightningModule,
    train_batches: Iterable[Any],
    val_batches: Iterable[Any] | None,
    params: TrainerParams,
    work_dir: Path,
    resume_from: Path | None,
    description: str,
) -> pd.DataFrame:
    """The training in this process; its part of it, where others take part."""
    if resume_from is None:
        seed_everything(params.seed)
    if params.compile:
        for network in module.children():
            network.compile()  # in place and at the first call: names of weights stay as they are
    history = History()
    clip = params.gradient_clip_norm if module.automatic_optimization else 0
    with _tamed():
        trainer = pl.Trainer(
            max_steps=params.max_steps,
            max_epochs=-1,
            accelerator=params.accelerator,
            devices=params.devices,
            num_nodes=params.num_nodes,
            precision=precision(params),
            gradient_clip_val=clip or None,
            deterministic=params.deterministic,
            log_every_n_steps=params.log_every_n_steps,
            logger=history,
            callbacks=_callbacks(params, history, work_dir, description),
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            plugins=[cluster_environment(), GlobalBatchNorm(on_cpu=_on_cpu(params))],
            use_distributed_sampler=False,
        )
        _logger.info("%s: %d steps on %s", description, params.max_steps, trainer.strategy.root_device)
        trainer.fit(module, train_batches, val_batches, ckpt_path=resume_from, weights_only=True)
    return history.table()


def _callbacks(params: TrainerParams, history: History, work_dir: Path, description: str) -> list[pl.Callback]:
    """In the order in which they are called: checkpoints hold what those before have done."""
    return [
        StopAtNaN(),
        KeepRandomState(),
        KeepHistory(history),
        *([StopEarly(params.early_stopping)] if params.early_stopping is not None else []),
        KeepLast(work_dir / LAST, params.checkpoint_every_n_steps),
        ShowProgress(description, params.max_steps),
        MeasureSpeed(params.log_every_n_steps),
    ]


def discard_work(work_dir: Path) -> None:
    """Removes the checkpoints of a finished run, once its result is safely saved elsewhere."""
    shutil.rmtree(work_dir, ignore_errors=True)


def precision(params: TrainerParams) -> Any:
    """Lightning's precision: bf16 pays on a GPU; on a CPU autocast is several times slower than float32."""
    if params.precision != "auto":
        return params.precision
    return "32-true" if _on_cpu(params) else "bf16-mixed"


def _on_cpu(params: TrainerParams) -> bool:
    return params.accelerator not in ("auto", "gpu", "cuda") or not torch.cuda.is_available()


def _prepare(work_dir: Path, run_key: str) -> Path | None:
    """Returns the checkpoint to go on from; clears ``work_dir`` if it belongs to another run."""
    run_file = work_dir / RUN_FILE
    if not run_file.exists() or json.loads(run_file.read_text())["run_key"] != run_key:
        shutil.rmtree(work_dir, ignore_errors=True)
        work_dir.mkdir(parents=True)
        write_json(run_file, {"run_key": run_key})
    remove_leftovers(work_dir)
    last = work_dir / LAST
    if not last.exists():
        return None
    _logger.info("An unfinished training is continued from its last checkpoint.")
    return last


@contextmanager
def _tamed() -> Iterator[None]:
    """Quiets Lightning's hints that do not apply here (few loader workers, no logger folder, GPU adverts)."""
    quiet = [logging.getLogger(name) for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric")]
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
        warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*but have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message="(?s).*Grad strides do not match bucket view strides")
        yield
    for logger, level in zip(quiet, levels, strict=True):
        logger.setLevel(level)
