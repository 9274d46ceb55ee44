"""What ``ct_preprocess.py`` measures, each task in a process of its own: ``ct_preprocess_tasks.py TASK JSON``."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import timed

SPACING_MM = 1.0
HU_WINDOW = (-1000.0, 400.0)
PADDING_HU = -1024
PATCH_EDGE = 96
N_PATCHES = 200
N_NIFTI_PATCHES = 5
SCAN_UID = "scan"


def medpipe(kind: str, path: str, repeats: int, folder: str) -> dict[str, Any]:
    """Reads, prepares and stores the scan."""
    from medpipe.ct.params import PreprocessParams
    from medpipe.ct.preprocess import prepare
    from medpipe.ct.readers import find_reader
    from medpipe.ct.store import write_scan

    params = PreprocessParams(spacing_mm=SPACING_MM, hu_window=HU_WINDOW)
    reader, file = find_reader("luna16" if kind == "mhd" else "dicom"), Path(path)
    store, series_uid = Path(folder) / f"store_{kind}", SCAN_UID if kind == "mhd" else _series_uid(file)

    def work() -> None:
        scan = prepare(reader.read_volume(file.parent, file.name, series_uid), params)
        write_scan(
            store, SCAN_UID, scan.image, scan.lung, scan.geometry, params.hu_window, key="", lung_ml=scan.lung_ml
        )

    taken = timed(work, repeats)
    return {**taken, "file_mb": sum(file.stat().st_size for file in store.iterdir()) / 1e6}


def _series_uid(folder: Path) -> str:
    import pydicom
    import SimpleITK as sitk

    file = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))[0]
    return str(pydicom.dcmread(file, stop_before_pixels=True).SeriesInstanceUID)


def monai(reader: str, path: str, repeats: int, folder: str, save: str) -> dict[str, Any]:
    """MONAI's usual deterministic transforms, and the result saved by ``numpy.save`` or by ``SaveImaged``."""
    import torch
    from monai import transforms

    torch.set_num_threads(1)
    target = Path(folder) / f"monai_{reader}_{save}"
    target.mkdir(exist_ok=True)
    compose = transforms.Compose(
        [
            *_monai_resampling(reader),
            transforms.ScaleIntensityRanged("image", *HU_WINDOW, 0.0, 1.0, clip=True),
            transforms.CropForegroundd("image", source_key="image"),
        ]
    )
    save_image = transforms.SaveImaged("image", output_dir=target, separate_folder=False, print_log=False)

    def work() -> None:
        data = compose({"image": path})
        if save == "npy":
            np.save(target / "image.npy", data["image"].numpy())
        else:
            save_image(data)

    taken = timed(work, repeats)
    return {**taken, "file_mb": sum(file.stat().st_size for file in target.iterdir()) / 1e6}


def _monai_resampling(reader: str) -> list[Any]:
    from monai import transforms

    readers = {"itk": "ITKReader", "nibabel": "NibabelReader", "pydicom": "PydicomReader"}
    return [
        transforms.LoadImaged("image", reader=readers[reader], ensure_channel_first=True),
        transforms.Orientationd("image", axcodes="LPS"),
        transforms.Spacingd("image", pixdim=(SPACING_MM,) * 3, mode="bilinear"),
    ]


def difference(mhd: str, clamped_nii: str) -> dict[str, Any]:
    """Our resampled Hounsfield units beside MONAI's and SimpleITK's (both float) on the same grid.

    The outermost voxels are left out. Both peers get the scan with its padding clamped, as medpipe does by itself:
    where it is not, -2000 HU bleed into the image.
    """
    import SimpleITK as sitk
    from monai import transforms

    from medpipe.ct.readers import find_reader
    from medpipe.ct.resample import isotropic, resample, to_canonical

    file = Path(mhd)
    volume = to_canonical(find_reader("luna16").read_volume(file.parent, file.name, SCAN_UID))
    target = isotropic(volume.geometry, SPACING_MM)
    ours = resample(volume, target)
    resampled = transforms.Compose(_monai_resampling("nibabel"))({"image": clamped_nii})["image"]
    affine = resampled.affine.numpy()  # RAS; the first voxels must lie at the same place, or the grids differ
    np.testing.assert_allclose([-affine[0, 3], -affine[1, 3], affine[2, 3]], target.origin_xyz_mm, atol=1e-3)
    peer = resampled.numpy()[0].transpose(2, 1, 0)
    clamped = np.maximum(volume.array, PADDING_HU).astype(np.float32)
    image = volume.geometry.apply_to_sitk(sitk.GetImageFromArray(clamped))
    reference = target.apply_to_sitk(sitk.GetImageFromArray(np.zeros(target.shape_zyx, np.uint8)))
    exact = sitk.GetArrayFromImage(
        sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    )
    inner = tuple(slice(1, min(a, b) - 2) for a, b in zip(ours.shape, peer.shape, strict=True))
    pairs = {
        "medpipe (int16) - MONAI": (ours, peer),
        "medpipe (int16) - SimpleITK": (ours, exact),
        "SimpleITK - MONAI": (exact, peer),
    }
    apart = {name: np.abs(one[inner].astype(np.float32) - other[inner]) for name, (one, other) in pairs.items()}
    hu = {
        name: {"max": float(of.max()), "p999": float(np.quantile(of, 0.999)), "mean": float(of.mean(dtype=np.float64))}
        for name, of in apart.items()
    }
    return {"n_voxels": int(ours[inner].size), "hu": hu}


def write_nifti(folder: str, scan_nii: str) -> dict[str, str]:
    """The same image and others that a patch is read from, as ``.nii.gz``, by what they are."""
    import nibabel

    from medpipe.ct.store import ScanStore

    stored, raw, floats = (str(Path(folder) / f"{name}.nii.gz") for name in ("stored", "raw", "float"))
    scan = ScanStore(Path(folder) / "store_mhd").open(SCAN_UID)
    array = scan.image[:].transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), stored)
    nibabel.save(nibabel.load(scan_nii), raw)
    nibabel.save(nibabel.Nifti1Image(array.astype(np.float32) / 255, np.eye(4)), floats)
    return {
        "the same 8-bit image, .nii.gz": stored,
        "the same image as float32 (MONAI's type), .nii.gz": floats,
        "the raw scan (int16), .nii.gz": raw,
    }


def store_patches(folder: str) -> dict[str, Any]:
    """Random patches of a stored scan."""
    from medpipe.ct.store import ScanStore

    scan = ScanStore(Path(folder) / "store_mhd").open(SCAN_UID)
    size = next(Path(folder, "store_mhd").glob("*.image.b2nd")).stat().st_size / 1e6
    return {**_patch_times(scan.shape, N_PATCHES, lambda start: scan.patch(start, (PATCH_EDGE,) * 3)), "file_mb": size}


def nifti_patches(path: str) -> dict[str, Any]:
    """Random patches of a ``.nii.gz``, sliced by nibabel without loading the rest into memory."""
    import nibabel

    image = nibabel.load(path)

    def read(start: tuple[int, ...]) -> Any:
        return np.asarray(image.dataobj[tuple(slice(first, first + PATCH_EDGE) for first in start[::-1])])

    return {**_patch_times(image.shape[::-1], N_NIFTI_PATCHES, read), "file_mb": Path(path).stat().st_size / 1e6}


def _patch_times(shape: Any, count: int, read: Callable[[tuple[int, ...]], Any]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    starts = [tuple(int(rng.integers(0, max(1, size - PATCH_EDGE + 1))) for size in shape) for _ in range(count + 1)]
    taken = []
    for start in starts:
        begun = time.process_time()
        read(start)
        taken.append((time.process_time() - begun) * 1000)
    peak = timed(lambda: read(starts[0]), 1)["peak_gb"]
    counted = taken[1:]  # the first one opens the file
    return {"ms": float(np.median(counted)), "ms_90": float(np.quantile(counted, 0.9)), "peak_gb": peak, "n": count}


def preprocess(raw: str, n_jobs: int, store: str, warm: bool) -> dict[str, Any]:
    """The node's own function over a folder of MetaImages of one size, after two scans a worker if ``warm``."""
    import pandas as pd

    from medpipe.ct.params import PreprocessParams
    from medpipe.ct.preprocess import preprocess
    from medpipe.ct.readers.itk import read_geometry

    files = sorted(Path(raw).glob("*.mhd"), key=lambda file: int(file.stem))
    geometry = read_geometry(files[0])
    shape = dict(zip(("n_slices", "n_rows", "n_columns"), geometry.shape_zyx, strict=True))
    spacing = dict(zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), geometry.spacing_zyx_mm, strict=True))
    uids = [file.stem for file in files]
    scans = pd.DataFrame({"series_uid": uids, "accepted": True, **shape, **spacing})
    names = [file.name for file in files]
    locations = pd.DataFrame({"series_uid": uids, "source_series_uid": uids, "reader": "luna16", "path": names})
    params = PreprocessParams(spacing_mm=SPACING_MM, hu_window=HU_WINDOW, n_jobs=n_jobs)
    if warm:
        first = slice(0, 2 * n_jobs)
        preprocess(raw, scans[first], locations[first], None, params, f"{store}_warm")
    begun = time.perf_counter()
    done = preprocess(raw, scans, locations, None, params, store)
    wall_s = time.perf_counter() - begun
    if len(done) != len(files):
        raise SystemExit(f"{len(done)} of {len(files)} scans: {done.rejections['reason'].tolist()[:1]}")
    return {"wall_s": wall_s, "scans_per_minute": len(files) / wall_s * 60}


TASKS = (medpipe, monai, difference, write_nifti, store_patches, nifti_patches, preprocess)

if __name__ == "__main__":
    name, arguments = sys.argv[1:]
    print(json.dumps({task.__name__: task for task in TASKS}[name](**json.loads(arguments))))
