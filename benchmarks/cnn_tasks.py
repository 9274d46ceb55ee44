"""What ``cnn.py`` measures, each in a process of its own: ``python cnn_tasks.py TASK ARGUMENTS-AS-JSON``."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import timed
from torch import Tensor, nn
from torch.utils.data import Dataset

from medpipe.ct.store import ScanStore
from medpipe.nodules.detection.inference import search
from medpipe.nodules.detection.module import DetectorModule
from medpipe.nodules.detection.network import STRIDE
from medpipe.nodules.detection.params import DetectorParams, DetectParams, SamplingParams, TrainDetectorParams
from medpipe.nodules.detection.sampling import PatchBatches, scan_places
from medpipe.training.data import StepSampler, loader
from medpipe.training.device import torch_device
from medpipe.training.fit import fit
from medpipe.training.module import NetworkModule
from medpipe.training.params import TrainerParams
from medpipe.training.seeds import seed_everything

DYNUNET_FILTERS = (14, 28, 56)
"""With these, DynUNet has about as many weights as our detector (260 and 279 thousand)."""

_OUTPUTS = 5  # of our detector: heat, offset z, y, x, log diameter


class PooledDynUNet(nn.Module):
    """MONAI's DynUNet in the place of our network: full resolution, its output averaged to our grid."""

    coarsest_stride = 8  # as ours, so that both get the same tiles

    def __init__(self) -> None:
        from monai.networks.nets import DynUNet

        super().__init__()
        n = len(DYNUNET_FILTERS)
        strides = [1] + [2] * (n - 1)
        self.network = DynUNet(3, 1, _OUTPUTS, [3] * n, strides, strides[1:], filters=DYNUNET_FILTERS)

    def forward(self, image: Tensor) -> Tensor:
        """As `CentreNet`."""
        return nn.functional.avg_pool3d(self.network(image), STRIDE)


def module_of(who: str, params: TrainDetectorParams, spacing_mm: float) -> NetworkModule[Any]:
    """Our training module, or one with the peer's network."""
    if who == "retinanet":
        from medpipe.nodules.detection.retinanet_module import RetinaNetModule

        return RetinaNetModule(params, spacing_mm)
    module = DetectorModule(params, spacing_mm)
    if who == "dynunet":
        peer: Any = PooledDynUNet()
        NetworkModule.__init__(module, peer, params.optimizer, params.trainer.max_steps)
    return module


class Stamped(Dataset[dict[str, Any]]):
    """Batches that remember when each was asked for, by the clock that counts (see `clock`)."""

    def __init__(self, batches: Dataset[dict[str, Any]]) -> None:
        self._batches = batches
        self.stamps: list[float] = []

    def __getitem__(self, step: int) -> dict[str, Any]:
        self.stamps.append(clock())
        return self._batches[step]


def clock() -> float:
    """On the CPU, seconds of this process, which others on the machine do not change; on a GPU, seconds."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def train(
    store: str, findings: str, who: str, batch_size: int, patch_edge: int, warm_up: int, steps: int, compiled: bool
) -> dict[str, Any]:
    """Patches a second of ``steps`` after ``warm_up`` others; reading, augmentation and optimizer included."""
    scans, table = ScanStore(store), pd.read_parquet(findings)
    n_steps = warm_up + steps + 1
    params = TrainDetectorParams(
        detector=DetectorParams(kind="retinanet" if who == "retinanet" else "centre_net"),
        trainer=TrainerParams(max_steps=n_steps, log_every_n_steps=n_steps, devices=1, compile=compiled),
        sampling=SamplingParams(batch_size=batch_size, patch_edge=patch_edge),
    )
    uids = scans.series_uids
    places = scan_places(scans, table, uids, params.sampling, 0, 1)
    batches = Stamped(PatchBatches(scans, places, params.sampling, 0))
    seed_everything(0)
    module = module_of(who, params, scans.open(uids[0]).geometry.spacing_zyx_mm[0])
    found: dict[str, Any] = {"n_weights": sum(weight.numel() for weight in module.network.parameters())}
    train_batches = loader(batches, StepSampler(lambda: module.global_step, n_steps), 0)
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            history = fit(module, train_batches, params=params.trainer, work_dir=Path(folder), run_key="benchmark")
            last = history[history["step"] == n_steps - 1].set_index("name")["value"]
            found.update(last[last.index.str.startswith(("speed_data", "gpu_"))].to_dict())

        found["peak_gb"] = timed(work, 1, warm_up=False)["peak_gb"]
    seconds = batches.stamps[warm_up + steps] - batches.stamps[warm_up]
    return found | {"patches_per_s": steps * batch_size / seconds, "batch_size": batch_size, "steps": steps}


def search_scans(store: str, who: str, repeats: int) -> dict[str, Any]:
    """Seconds a scan with fresh weights: whole scans, lungs everywhere in the generated ones."""
    scans, params = ScanStore(store), DetectParams()
    uids, device = scans.series_uids, torch_device(params.accelerator)
    spacing_mm = scans.open(uids[0]).geometry.spacing_zyx_mm[0]
    settings = {"detector": DetectorParams(kind="retinanet" if who == "retinanet" else "centre_net")}
    seed_everything(0)
    network = module_of(who, TrainDetectorParams(**settings), spacing_mm).kept_network.eval().to(device)
    find: Any = search
    if who == "retinanet":
        from medpipe.nodules.detection.retinanet_search import search_boxes as find

    def work() -> None:
        for uid in uids:
            find(network, scans.open(uid), params, device)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    taken = timed(work, repeats, warm_up=repeats > 1)
    found = {
        "s_per_scan": taken["wall_s" if device.type == "cuda" else "cpu_s"] / len(uids),
        "peak_gb": taken["peak_gb"],
        "n_runs": repeats,
    }
    if device.type == "cuda":
        found["gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


if __name__ == "__main__":
    print(json.dumps({"train": train, "search": search_scans}[sys.argv[1]](**json.loads(sys.argv[2]))))
