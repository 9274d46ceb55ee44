"""Several devices train together (DDP): a process each.

Those of one host we start ourselves, for the training alone. Lightning's own launcher starts the whole command once a
device; a Kedro run would then read, prepare and save everything several times over. Here only the training is
repeated: the processes get module and batches, and give back what they have learned.

Those of several hosts are started by ``torchrun``, for the node that trains alone: see `medpipe.runners.followers`.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cloudpickle  # type: ignore[import-untyped]
import lightning.pytorch as pl
import pandas as pd
import torch
from lightning.fabric.plugins.environments import ClusterEnvironment, LightningEnvironment, TorchElasticEnvironment
from torch.multiprocessing.spawn import ProcessException

from medpipe.core.errors import InputError
from medpipe.training.history import COLUMNS
from medpipe.training.params import TrainerParams
from medpipe.training.processes import rank, world_size

RESULT_FILE = "result.pt"
ERROR_FILE = "error.txt"

_LOOPBACK = "lo" if sys.platform == "linux" else "lo0"
"""The network interface that nobody outside of this host reaches."""

Train = Callable[[], pd.DataFrame]
T = TypeVar("T")


def processes_to_start(params: TrainerParams) -> int:
    """How many processes the training needs from us; 1 where one is enough or ``torchrun`` started them.

    Raises:
        InputError: Several hosts are to train together and nobody started their processes.
    """
    if started_by_torchrun():
        return 1
    if params.num_nodes > 1:
        raise InputError(
            f"trainer.num_nodes is {params.num_nodes}, but this process stands alone: on each of the hosts, start the "
            "node that trains with torchrun (docs/scaling.md), or set num_nodes to 1."
        )
    if params.devices != "auto":
        return params.devices
    on_gpu = params.accelerator in ("auto", "gpu", "cuda")
    return max(1, torch.cuda.device_count()) if on_gpu else 1


def started_by_torchrun() -> bool:
    """Whether this is one of several processes that were started together from outside."""
    return "LOCAL_RANK" in os.environ


def cluster_environment() -> ClusterEnvironment:
    """How Lightning knows its place: from ``torchrun`` or from us.

    Said, because inside a SLURM allocation Lightning would take each process for one that ``srun`` has started.
    """
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


def first_decides(decide: Callable[[], T]) -> T:
    """What the first of the processes finds; all others wait for it and get the same."""
    if world_size() == 1:
        return decide()
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group(_backend())
    found = [decide() if rank() == 0 else None]
    torch.distributed.broadcast_object_list(found)
    return found[0]  # type: ignore[return-value]


def _backend() -> str:
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def in_processes(n: int, train: Train, module: pl.LightningModule, work_dir: Path) -> pd.DataFrame:
    """Runs ``train`` in ``n`` fresh processes, loads what they learned into ``module``, and returns the history.

    Args:
        n: One a device.
        train: Trains ``module``; what it holds travels to the processes.
        module: As it is here.
        work_dir: Where the result is handed over.

    Raises:
        InputError: As raised in a process.
    """
    (work_dir / ERROR_FILE).unlink(missing_ok=True)
    payload = cloudpickle.dumps((train, module))  # together: what train holds of the module stays the same object
    threads = max(1, torch.get_num_threads() // n)
    level = logging.getLogger().getEffectiveLevel()
    try:
        # they meet at a file: torch's meeting place in the network would listen to every host
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(
                _process, (n, Path(folder) / "meeting", payload, work_dir, threads, level), nprocs=n
            )
    except ProcessException as error:
        if (work_dir / ERROR_FILE).exists():
            raise InputError((work_dir / ERROR_FILE).read_text(encoding="utf-8")) from error
        raise
    learned = torch.load(work_dir / RESULT_FILE, weights_only=True)
    module.load_state_dict(learned["module"])
    return pd.DataFrame(learned["history"], columns=list(COLUMNS)).astype(COLUMNS)


def _process(rank: int, n: int, meeting: Path, payload: bytes, work_dir: Path, threads: int, level: int) -> None:
    """One of the processes; its variables are those of ``torchrun``, by which Lightning knows its place."""
    place = {"LOCAL_RANK": rank, "RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n}
    os.environ.update({name: str(value) for name, value in place.items()})
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", _LOOPBACK)
    torch.set_num_threads(threads)
    store = torch.distributed.FileStore(str(meeting), n)
    torch.distributed.init_process_group(_backend(), store=store, rank=rank, world_size=n)
    if rank == 0:
        logging.basicConfig(level=level)
    train, module = cloudpickle.loads(payload)
    try:
        history = train()
    except InputError as error:
        (work_dir / ERROR_FILE).write_text(str(error), encoding="utf-8")
        raise
    if rank == 0:
        rows = list(history.itertuples(index=False, name=None))
        torch.save({"module": module.state_dict(), "history": rows}, work_dir / RESULT_FILE)
