"""Training of one network: batches, masked losses, one call of the training loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from medpipe.core.fingerprint import digest
from medpipe.molecules.properties.features import MoleculeFeatures
from medpipe.molecules.properties.network import MessagePassingNetwork, as_batch
from medpipe.molecules.properties.params import TrainPropertiesParams
from medpipe.training.data import StepSampler, loader
from medpipe.training.fit import fit
from medpipe.training.module import NetworkModule
from medpipe.training.params import EarlyStoppingParams, TrainerParams
from medpipe.training.seeds import seed_everything

_CHECKPOINTS = 10
"""Checkpoints a training, from which a killed run goes on."""
_LOGGED_STEPS = 20

FloatArray = npt.NDArray[np.float32]


class LabelledMolecules(Dataset[dict[str, Any]]):
    """Batches of molecules with targets, numbered by the step; each pass over the molecules has an order of its own.

    Args:
        features: n molecules.
        descriptors: Standardised, (n, d).
        targets: (n, tasks), numbers to standardise and classes as 0 and 1, not a number where unknown.
        batch_size: Molecules a batch.
        seed: Of the order; None keeps the order of the molecules.
    """

    def __init__(
        self,
        features: MoleculeFeatures,
        descriptors: FloatArray,
        targets: FloatArray,
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        self._features, self._descriptors, self._targets = features, descriptors, targets
        self._size, self._seed = batch_size, seed

    @property
    def n_descriptors(self) -> int:
        """Descriptors of a molecule."""
        return self._descriptors.shape[1]

    def __len__(self) -> int:
        """Batches a pass."""
        return -(-len(self._features) // self._size)

    def __getitem__(self, step: int) -> dict[str, Any]:
        """Tensors of `as_batch`, and ``targets``."""
        epoch, place = divmod(step, len(self))
        order = np.arange(len(self._features))
        if self._seed is not None:
            order = np.random.default_rng([self._seed, epoch]).permutation(order)
        rows = order[place * self._size : (place + 1) * self._size]
        batch = as_batch(self._features.take(rows), self._descriptors[rows])
        return {**batch, "targets": torch.from_numpy(self._targets[rows])}


class PropertyModule(NetworkModule[MessagePassingNetwork]):
    """A message-passing network for several tasks; what is unknown of a molecule has no part in the loss.

    Args:
        network: What is trained.
        is_class: Of each task, whether it is a class and not a number.
        params: Of the training.
        max_steps: Optimizer steps in all.
    """

    def __init__(
        self, network: MessagePassingNetwork, is_class: Sequence[bool], params: TrainPropertiesParams, max_steps: int
    ) -> None:
        super().__init__(network, params.optimizer, max_steps)
        self.register_buffer("is_class", torch.tensor(list(is_class)), persistent=False)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Mean loss of the known targets."""
        loss, known = self._losses(self.network, batch)
        mean = loss.sum() / known.clamp(min=1)
        self.log("train_loss", mean.detach(), batch_size=len(batch["targets"]))
        return mean

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """The same of val, under the moving average of the weights."""
        loss, known = self._losses(self.kept_network, batch)
        self.log("val_loss", loss.sum() / known.clamp(min=1), batch_size=int(known.clamp(min=1)))

    def _losses(self, network: MessagePassingNetwork, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Loss of each target, 0 where it is unknown, and how many are known."""
        output, targets = network(batch).float(), batch["targets"]
        known = targets.isfinite()
        targets = torch.where(known, targets, 0.0)
        numbers = functional.mse_loss(output, targets, reduction="none")
        classes = functional.binary_cross_entropy_with_logits(output, targets.clamp(0, 1), reduction="none")
        return torch.where(known, torch.where(self.is_class, classes, numbers), 0.0), known.sum()


def train_member(
    train: LabelledMolecules,
    val: LabelledMolecules,
    is_class: Sequence[bool],
    params: TrainPropertiesParams,
    seed: int,
    work_dir: Path,
    data_key: str,
    description: str,
) -> tuple[dict[str, Tensor], pd.DataFrame]:
    """Trains one network; the weights of its best pass on val are kept.

    Args:
        train: Batches to learn from.
        val: Batches to choose the pass by.
        is_class: Of each task, whether it is a class.
        params: Of the training.
        seed: Of this member.
        work_dir: Where the unfinished training lies.
        data_key: Digest of the data.
        description: What the user reads beside the progress bar.

    Returns:
        Weights and history.
    """
    n_steps = params.max_steps
    trainer = TrainerParams(
        seed=seed,
        max_steps=n_steps,
        accelerator=params.accelerator,
        devices=1,
        checkpoint_every_n_steps=max(1, n_steps // _CHECKPOINTS),
        log_every_n_steps=min(_LOGGED_STEPS, n_steps),
        early_stopping=EarlyStoppingParams(metric="val_loss", patience=params.patience),
    )
    seed_everything(seed)
    network = MessagePassingNetwork(params.network, train.n_descriptors, len(is_class))
    module = PropertyModule(network, is_class, params, n_steps)
    history = fit(
        module,
        loader(train, StepSampler(lambda: module.global_step, len(train)), 0),
        params=trainer,
        work_dir=work_dir,
        run_key=digest("properties", data_key, params, seed),
        val_batches=loader(val, range(len(val)), 0),
        description=description,
    )
    return module.kept_weights(), history
