"""Preprocessing of CT scans beside MONAI's transforms, and the scan store beside ``.nii.gz``, in one run.

    python benchmarks/ct_preprocess.py --scan ../shared/data/lidc/LIDC-IDRI-0001/dicom

Both sides start from the same real scan and end with a file on disk, each in its own fresh process, with one thread,
after one run that is not counted (imports, compilation). What they do differs, to MONAI's advantage:

- medpipe: read, clamp the padding, orient, find the lungs (MONAI does not), resample, window, crop to the lungs,
  quantise to 8 bits, compress image and lung mask, count the histograms, write.
- MONAI: ``LoadImaged, Orientationd, Spacingd (bilinear), ScaleIntensityRanged, CropForegroundd`` (to the body), then
  ``numpy.save`` of the float32 array, the cheapest way to keep it; in a second row ``SaveImaged`` with its default,
  ``.nii.gz``.

MONAI reads MetaImage by the package ``itk`` where that is installed, and the same voxels from uncompressed NIfTI
(nibabel) where it is not.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
from ct_preprocess_tasks import PADDING_HU, PATCH_EDGE, SCAN_UID, SPACING_MM
from measure import in_fresh_process, print_table, save, tree_pss_gb

TASKS = Path(__file__).with_name("ct_preprocess_tasks.py")
DEFAULT_SCAN = Path(__file__).parents[2] / "shared" / "data" / "lidc" / "LIDC-IDRI-0001" / "dicom"
N_COPIES = 8
SMALL_SHAPE, SMALL_SPACING = (100, 160, 160), (2.5, 2.2, 2.2)
MEMORY_AT = (10, 25, 50, 100, 150, 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scan", type=Path, default=DEFAULT_SCAN, help="folder of one DICOM series, or a .mhd file")
    parser.add_argument("--repeats", type=int, default=5, help="counted runs, of which the median is told")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="numbers of workers to try")
    parser.add_argument("--scans", type=int, default=200, help="small scans of the memory test")
    parser.add_argument("--parts", nargs="*", default=["speed", "patches", "workers", "memory"])
    options = parser.parse_args()
    if not options.scan.exists():
        parser.error(f"{options.scan} does not exist; name a DICOM series or a .mhd file with --scan")
    result: dict[str, Any] = {"monai": version("monai"), "numpy": np.__version__, "repeats": options.repeats}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = write_sources(options.scan, folder)
        if "speed" in options.parts:
            result |= speed(sources, folder, options.repeats)
        if "patches" in options.parts:
            result |= patches(sources, folder)
        if "workers" in options.parts:
            result |= workers(sources, folder, options.workers)
        if "memory" in options.parts:
            result |= memory(folder, options.scans, max(options.workers))
    print(f"\nwritten: {save('ct_preprocess', result)}")


def write_sources(scan: Path, folder: Path) -> dict[str, str]:
    """The scan as LUNA16 keeps it (``.mhd`` and ``.raw``), as NIfTI, with its padding clamped, and as it came."""
    import SimpleITK as sitk

    if scan.is_dir():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(scan)))
        image = reader.Execute()
    else:
        image = sitk.ReadImage(str(scan))
    image = sitk.Cast(image, sitk.sitkInt16)
    sources = {"mhd": f"{SCAN_UID}.mhd", "nii": f"{SCAN_UID}.nii", "clamped_nii": "clamped.nii"}
    sources = {name: str(folder / file) for name, file in sources.items()}
    sitk.WriteImage(image, sources["mhd"])
    sitk.WriteImage(image, sources["nii"])
    sitk.WriteImage(sitk.Clamp(image, sitk.sitkInt16, PADDING_HU, 32767), sources["clamped_nii"])
    os.sync()  # or the files just written go to the disk while the first process is measured
    print(f"scan: {' x '.join(map(str, image.GetSize()[::-1]))} voxels of {image.GetSpacing()[::-1]} mm")
    return sources | ({"dicom": str(scan.resolve())} if scan.is_dir() else {})


def speed(sources: dict[str, str], folder: Path, repeats: int) -> dict[str, Any]:
    """Raw file to preprocessed file, and how far the values lie apart."""
    peer_of_mhd = ("mhd", "itk") if find_spec("itk") else ("nii", "nibabel")
    pairs = {"LUNA16 .mhd": ("mhd", *peer_of_mhd)}
    if "dicom" in sources:
        pairs["DICOM"] = ("dicom", "dicom", "pydicom")
    rows, result = [], {}
    for source, (ours, theirs, reader) in pairs.items():
        common = {"repeats": repeats, "folder": str(folder)}
        own = in_fresh_process(TASKS, "medpipe", kind=ours, path=sources[ours], **common)
        peers = {
            kept: in_fresh_process(TASKS, "monai", reader=reader, path=sources[theirs], save=kept, **common)
            for kept in ("npy", "nii.gz")
        }
        both = {"medpipe": own} | {f"MONAI ({reader}), {kept}": peer for kept, peer in peers.items()}
        for who, taken in both.items():
            numbers = [taken[key] for key in ("cpu_s", "cpu_s_lowest", "cpu_s_highest", "wall_s", "peak_gb", "file_mb")]
            rows.append([source, who, *numbers, taken["cpu_s"] / own["cpu_s"]])
        times = {kept: peer["cpu_s"] / own["cpu_s"] for kept, peer in peers.items()}
        result[source] = {"medpipe": own, "monai": peers, "monai_reader": reader, "times_faster_cpu": times}
    columns = ["source", "who", "CPU s, median", "lowest", "highest", "wall s", "peak RSS GB", "file MB"]
    columns.append("times our CPU")
    print_table(f"Raw file to preprocessed file at {SPACING_MM:g} mm, one thread", columns, rows)
    apart = in_fresh_process(TASKS, "difference", mhd=sources["mhd"], clamped_nii=sources["clamped_nii"])
    rows = [[name, *(of[key] for key in ("max", "p999", "mean"))] for name, of in apart["hu"].items()]
    columns = ["difference before quantising", "max HU", "99.9 % HU", "mean HU"]
    print_table(f"{apart['n_voxels']} voxels of the same grid, the outermost left out", columns, rows)
    return {"speed": result, "difference": apart}


def patches(sources: dict[str, str], folder: Path) -> dict[str, Any]:
    """Random patches from the store and from the same voxels in ``.nii.gz``."""
    if not (folder / "store_mhd").is_dir():
        in_fresh_process(TASKS, "medpipe", kind="mhd", path=sources["mhd"], repeats=1, folder=str(folder))
    files = in_fresh_process(TASKS, "write_nifti", folder=str(folder), scan_nii=sources["nii"])
    own = in_fresh_process(TASKS, "store_patches", folder=str(folder))
    peers = {name: in_fresh_process(TASKS, "nifti_patches", path=path) for name, path in files.items()}
    rows = [
        [name, of["ms"], of["ms_90"], of["peak_gb"], of["file_mb"], of["ms"] / own["ms"]]
        for name, of in {"scan store": own, **peers}.items()
    ]
    columns = ["from", "CPU ms a patch, median", "90 %", "peak RSS GB", "file MB", "times our CPU"]
    print_table(f"Random patches of {PATCH_EDGE}^3 voxels, file in the page cache", columns, rows)
    times = {name: peer["ms"] / own["ms"] for name, peer in peers.items()}
    return {"patches": {"store": own, **peers, "times_faster_cpu": times}}


def workers(sources: dict[str, str], folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Scans a minute against the number of workers: copies of the real scan."""
    raw = folder / "copies"
    _link_copies(Path(sources["mhd"]), raw, N_COPIES)
    rates = {}
    for number in numbers:
        store = str(folder / f"store_{number}")
        rates[number] = in_fresh_process(TASKS, "preprocess", raw=str(raw), n_jobs=number, store=store, warm=True)
    base = rates[numbers[0]]["scans_per_minute"]
    rows = [[n, of["scans_per_minute"], of["wall_s"], of["scans_per_minute"] / base] for n, of in rates.items()]
    columns = ["workers", "scans a minute", f"wall s for {N_COPIES}", f"times {numbers[0]} worker"]
    print_table(f"Copies of the scan at {SPACING_MM:g} mm, start of the workers left out", columns, rows)
    return {"scans_per_minute": {str(n): of["scans_per_minute"] for n, of in rates.items()}}


def _link_copies(file: Path, raw: Path, count: int) -> None:
    raw.mkdir()
    for number in range(count):
        header = file.read_text(encoding="latin-1").replace(f"{file.stem}.raw", f"{number}.raw")
        (raw / f"{number}.mhd").write_text(header, encoding="latin-1")
        (raw / f"{number}.raw").symlink_to(file.with_suffix(".raw"))


def memory(folder: Path, count: int, n_jobs: int) -> dict[str, Any]:
    """Memory of the main process and its workers while many small scans are prepared."""
    raw, store = folder / "small", folder / "small_store"
    _link_copies(_write_small(folder / "chest.mhd"), raw, count)
    arguments = {"raw": str(raw), "n_jobs": n_jobs, "store": str(store), "warm": False}
    seen: dict[int, float] = {}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, str(TASKS), "preprocess", dumps(arguments)], stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        while process.poll() is None:
            done = sum(1 for name in os.listdir(store) if name.endswith(".json")) if store.is_dir() else 0
            pss_gb, _ = tree_pss_gb(process.pid)
            seen[done] = max(seen.get(done, 0.0), pss_gb)
            time.sleep(0.05)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(errors.read().decode()[-4000:])
    shutil.rmtree(store)
    reached = [at for at in MEMORY_AT if at <= count]
    ranges = zip(reached, [*reached[1:], count + 2], strict=True)
    highest = {low: max((gb for done, gb in seen.items() if low <= done < high), default=0.0) for low, high in ranges}
    columns = ["scans done", "memory GB"]
    title = f"{count} small scans, {n_jobs} workers: main process and workers (PSS), highest until the next row"
    print_table(title, columns, [list(row) for row in highest.items()])
    return {"memory_gb": {str(done): gb for done, gb in highest.items()}}


def _write_small(file: Path) -> Path:
    """A body of water with two lungs, as MetaImage."""
    import SimpleITK as sitk

    z, y, x = np.indices(SMALL_SHAPE).astype(float)
    array = np.full(SMALL_SHAPE, -1000, dtype=np.int16)
    array[((y - 80) / 55) ** 2 + ((x - 80) / 75) ** 2 <= 1] = 40
    for middle in (45, 115):
        array[((z - 50) / 40) ** 2 + ((y - 80) / 38) ** 2 + ((x - middle) / 26) ** 2 <= 1] = -850
    array += np.random.default_rng(0).normal(0, 25, SMALL_SHAPE).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SMALL_SPACING[::-1])
    sitk.WriteImage(image, str(file))
    return file


if __name__ == "__main__":
    main()
