"""Our detector beside MONAI's RetinaNet and DynUNet: training, search of a scan, memory, in one run on the same scans.

    python benchmarks/cnn.py
    python benchmarks/cnn.py --folder data/04_feature/scan_store

Each is trained by the same loop on the same patches and searches the same scans, in a fresh process. On the CPU with
one thread, in float32, by seconds of the process (others on the machine do not count); on a GPU with bf16 in training,
by the clock, and trained once more compiled.

- medpipe: the default detector.
- RetinaNet: MONAI's, with the configuration of its LUNA16 tutorial (ResNet-50, 256 channels in pyramid and heads),
  which has 75 times our weights. On the CPU with batches of 1 instead of 16, a measured step and one search.
- DynUNet: MONAI's, at full resolution, with about as many weights as our detector, trained with our loss.

Without ``--folder`` scans are generated: noise of lung density with bright balls. What is found in them is not compared
here; speed does not depend on it.
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from measure import in_fresh_process, print_table, save

from medpipe.ct.geometry import Geometry
from medpipe.ct.store import write_index, write_scan

TASKS = Path(__file__).with_name("cnn_tasks.py")
NAMES = {"centre_net": "medpipe", "dynunet": "MONAI DynUNet", "retinanet": "MONAI RetinaNet"}
SPACING_MM = 1.5
HU_WINDOW = (-1000.0, 400.0)
LUNG_HU, BALL_HU, NOISE_HU = -850.0, 50.0, 25.0


def main() -> None:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="a scan store; none generates scans")
    parser.add_argument("--findings", type=Path, help="ct_nodules (Parquet) of that store")
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 256) if on_gpu else (64, 64, 96))
    parser.add_argument("--patch-edge", type=int, default=64 if on_gpu else 32)
    parser.add_argument("--steps", type=int, default=50 if on_gpu else 3, help="measured steps, after as many others")
    parser.add_argument("--repeats", type=int, default=5 if on_gpu else 3, help="searches, of which the median is told")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = options.folder or generate(Path(name) / "store", tuple(options.shape))
        findings = options.findings or (Path(name) / "store" / "findings.parquet")
        if options.folder and not options.findings:
            findings = Path(name) / "none.parquet"
            table_of([]).to_parquet(findings)
        result = {who: measure(who, store, findings, options, on_gpu) for who in NAMES}
    show(result, on_gpu)
    machine = {"gpu": torch.cuda.get_device_name(0)} if on_gpu else {}
    label = f"cnn_{machine['gpu']}".replace(" ", "_").lower() if on_gpu else "cnn"
    about = {"torch": version("torch"), "monai": version("monai"), "patch_edge": options.patch_edge}
    about |= {"shape_zyx": "of the store" if options.folder else list(options.shape), **machine}
    print(f"\nwritten: {save(label, about | {'detectors': result})}")


def measure(who: str, store: Path, findings: Path, options: argparse.Namespace, on_gpu: bool) -> dict[str, Any]:
    """Training and search of one detector."""
    heavy = who == "retinanet" and not on_gpu  # a batch of 16 takes minutes on one core
    training = {"store": str(store), "findings": str(findings), "who": who, "patch_edge": options.patch_edge}
    training |= {"batch_size": 1 if heavy else 16, "steps": 1 if heavy else options.steps}
    training |= {"warm_up": 1 if heavy else options.steps}
    found = {"train": in_fresh_process(TASKS, "train", **training, compiled=False)}
    if on_gpu:
        found["train_compiled"] = in_fresh_process(TASKS, "train", **training, compiled=True)
    repeats = 1 if heavy else options.repeats
    return found | {"search": in_fresh_process(TASKS, "search", store=str(store), who=who, repeats=repeats)}


def show(result: dict[str, Any], on_gpu: bool) -> None:
    """Tables of both parts."""
    own, memory = result["centre_net"], "gpu_memory_gb" if on_gpu else "peak_gb"
    rows = []
    for way in ("train", "train_compiled"):
        for who, of in result.items():
            if taken := of.get(way):
                speed = taken["patches_per_s"]
                row = [NAMES[who], way, taken["n_weights"], speed, taken["speed_data_wait_share"], taken[memory]]
                rows.append([*row, own["train"]["patches_per_s"] / speed])
    columns = ["who", "how", "weights", "patches/s", "share waiting for data", "memory GB", "times our time"]
    print_table("Training", columns, rows)
    rows = [
        [
            NAMES[who],
            of["search"]["s_per_scan"],
            of["search"][memory],
            of["search"]["s_per_scan"] / own["search"]["s_per_scan"],
        ]
        for who, of in result.items()
    ]
    print_table("Search of a scan", ["who", "s/scan", "memory GB", "times our time"], rows)


def generate(folder: Path, shape: tuple[int, int, int], n_scans: int = 1) -> Path:
    """A store of a scan of noise with six balls of 8 to 14 mm, and their table beside it."""
    generator = np.random.default_rng(0)
    low, high = HU_WINDOW
    rows = []
    for number in range(n_scans):
        uid, geometry = f"scan{number}", Geometry(shape, (SPACING_MM,) * 3)
        hu = generator.normal(LUNG_HU, NOISE_HU, shape).astype(np.float32)
        for index in range(6):
            centre, diameter = generator.uniform(16, np.array(shape) - 16), generator.uniform(8, 14)
            start = np.rint(centre).astype(int) - 8
            grid = np.stack(np.indices((16, 16, 16)), axis=-1) + start
            ball = np.linalg.norm(grid - centre, axis=-1) * SPACING_MM < diameter / 2
            hu[tuple(slice(first, first + 16) for first in start)][ball] = BALL_HU
            rows.append((f"{uid}-{index}", uid, *geometry.to_world([centre])[0], diameter, "nodule"))
        image = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        write_scan(folder, uid, image, np.ones(shape, np.uint8), geometry, HU_WINDOW, key=uid)
    write_index(folder, [f"scan{number}" for number in range(n_scans)])
    table_of(rows).to_parquet(folder / "findings.parquet")
    return folder


def table_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """As ``ct_nodules``, with the columns that training needs."""
    columns = ["finding_id", "series_uid", "x_mm", "y_mm", "z_mm", "diameter_mm", "kind"]
    dtypes = {name: "float64" if name.endswith("_mm") else "str" for name in columns}
    return pd.DataFrame(rows, columns=columns).astype(dtypes)


if __name__ == "__main__":
    main()
