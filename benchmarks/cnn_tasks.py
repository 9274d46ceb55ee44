"""What ``cnn.py`` measures, each in a process of its own: ``python cnn_tasks.py TASK ARGUMENTS-AS-JSON``."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import timed
from torch import Tensor, nn

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


def train(store: str, findings: str, who: str, batch_size: int, patch_edge: int, steps: int, compiled: bool) -> dict:
    """Patches a second, of the second half of the steps; reading, augmentation and optimizer included."""
    scans, table = ScanStore(store), pd.read_parquet(findings)
    params = TrainDetectorParams(
        detector=DetectorParams(kind="retinanet" if who == "retinanet" else "centre_net"),
        trainer=TrainerParams(max_steps=2 * steps, log_every_n_steps=steps, devices=1, compile=compiled),
        sampling=SamplingParams(batch_size=batch_size, patch_edge=patch_edge),
    )
    uids = scans.series_uids
    places = scan_places(scans, table, uids, params.sampling, 0, 1)
    batches = PatchBatches(scans, places, params.sampling, 0)
    seed_everything(0)
    module = module_of(who, params, scans.open(uids[0]).geometry.spacing_zyx_mm[0])
    found: dict[str, Any] = {"n_weights": sum(weight.numel() for weight in module.network.parameters())}
    sampler = StepSampler(lambda: module.global_step, 2 * steps)
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            history = fit(
                module, loader(batches, sampler, 0), params=params.trainer, work_dir=Path(folder), run_key="benchmark"
            )
            last = history[history["step"] == history["step"].max()].set_index("name")["value"]
            found.update(last[last.index.str.startswith(("speed_", "gpu_"))].to_dict())

        found["peak_gb"] = timed(work, 1, warm_up=False)["peak_gb"]
    return found


def search_scans(store: str, who: str, repeats: int) -> dict:
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
    found = {"s_per_scan": taken["wall_s"] / len(uids), "peak_gb": taken["peak_gb"], "n_runs": repeats}
    if device.type == "cuda":
        found["gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


if __name__ == "__main__":
    print(json.dumps({"train": train, "search": search_scans}[sys.argv[1]](**json.loads(sys.argv[2]))))
