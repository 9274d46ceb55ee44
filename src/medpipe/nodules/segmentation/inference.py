"""The segmenter at work: a mask at each of given places, or one of a whole scan."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from medpipe.core.errors import InputError
from medpipe.core.progress import track
from medpipe.ct.components import label, lookup
from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.store import ScanStore
from medpipe.ct.stored_scan import StoredScan
from medpipe.nodules.augment import MIRRORS
from medpipe.nodules.cubes import corner, cubes_at
from medpipe.nodules.detection.inference import tiles
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.preparation import check_preparation
from medpipe.nodules.segmentation.network import Segmenter, load_network
from medpipe.nodules.segmentation.params import SegmentParams
from medpipe.nodules.segmentation.sizes import SIZE_COLUMNS, mask_sizes
from medpipe.training.checkpoint import Checkpoint
from medpipe.training.device import torch_device

_UINT8_MAX = 255.0

BoolArray = npt.NDArray[np.bool_]


def segment_at(
    store: ScanStore, places: pd.DataFrame, checkpoint: Checkpoint, params: SegmentParams, folder: Path
) -> tuple[pd.DataFrame, MaskStore]:
    """One mask a place: the component that holds it, or the nearest one within ``params.search_mm``.

    Places are looked at one by one, so two candidates on one nodule have the same mask, and none depends on the others.

    Args:
        store: The scans.
        places: Columns series_uid, x_mm, y_mm, z_mm; others are kept.
        checkpoint: A segmenter's.
        params: Of the search.
        folder: Where masks are written, in the grid of the stored scans; files of other masks there are removed.

    Returns:
        ``places`` with ``mask_number`` (1, 2, ... in each scan, in the order of the rows; an empty mask's number is
        not in the store), ``volume_mm3``, ``mask_diameter_mm`` and ``long_axis_mm`` (0 where the mask is empty), and
        the masks.

    Raises:
        InputError: If the checkpoint is no segmenter's, a scan was prepared otherwise than the training scans, or
            ``params.roi_edge`` does not fit the network.
    """
    device = torch_device(params.accelerator)
    network, threshold = load_network(checkpoint).to(device), _threshold(checkpoint, params)
    if params.roi_edge % network.coarsest_stride:
        raise InputError(
            f"segment.roi_edge is {params.roi_edge}, expected a multiple of {network.coarsest_stride}, the coarsest "
            "stride of the segmenter"
        )
    _clear(folder)
    columns = ["mask_number", *SIZE_COLUMNS]
    sizes = pd.DataFrame(0.0, index=range(len(places)), columns=columns)
    uids = places["series_uid"].to_numpy(dtype=str)
    for uid in track(list(dict.fromkeys(uids)), "Outlining what was found"):
        scan = store.open(uid)
        check_preparation(uid, scan, checkpoint)
        rows = np.flatnonzero(uids == uid)
        centres = scan.geometry.to_voxel(places.iloc[rows][POSITION].to_numpy(dtype=np.float64))
        masks: dict[int, LesionMask] = {}
        for number, (row, centre, (start, probability)) in enumerate(
            zip(rows, centres, _probabilities(network, store, uid, centres, params, device), strict=True), start=1
        ):
            voxels = component_at(probability >= threshold, centre - start, params.search_mm, scan.geometry)
            if voxels.any():
                masks[number] = cropped(voxels, start)
            sizes.loc[row, columns] = [number, *mask_sizes(voxels, scan.geometry).values()]
        write_masks(folder, uid, scan.geometry, masks)
    sizes = sizes.astype({"mask_number": "int64"}).set_index(places.index)
    return places.assign(**{name: sizes[name] for name in columns}), MaskStore(folder)


def segment_scans(
    store: ScanStore, series_uids: Sequence[str], checkpoint: Checkpoint, params: SegmentParams, folder: Path
) -> tuple[pd.DataFrame, MaskStore]:
    """One mask a scan, of all that the segmenter outlines in the prepared region: an organ, or all lesions.

    The scan is worked through in tiles with a halo, and of each only the thresholded core is kept: memory grows by a
    byte a voxel.

    Args:
        store: The scans.
        series_uids: Which of them.
        checkpoint: A segmenter's.
        params: Of the search.
        folder: Where masks are written, in the grid of the stored scans; files of other masks there are removed.

    Returns:
        Columns series_uid, mask_number (always 1; an empty mask is not in the store), volume_mm3, mask_diameter_mm,
        long_axis_mm, and the masks.

    Raises:
        InputError: If the checkpoint is no segmenter's or of one that must be told the place, or a scan was prepared
            otherwise than the training scans.
    """
    device = torch_device(params.accelerator)
    network, threshold = load_network(checkpoint).to(device), _threshold(checkpoint, params)
    if network.at_place:
        raise InputError(
            "the segmenter was trained with sampling.kind 'cubes' and outlines only what lies at a given place; "
            "train one with 'patches' for whole scans"
        )
    _clear(folder)
    rows = []
    for uid in track(series_uids, "Outlining whole scans"):
        scan = store.open(uid)
        check_preparation(uid, scan, checkpoint)
        voxels = _whole(network, scan, params, threshold, device)
        write_masks(folder, uid, scan.geometry, {1: cropped(voxels)} if voxels.any() else {})
        rows.append({"series_uid": uid, "mask_number": 1, **mask_sizes(voxels, scan.geometry)})
    return pd.DataFrame(rows, columns=["series_uid", "mask_number", *SIZE_COLUMNS]), MaskStore(folder)


def _clear(folder: Path) -> None:
    """An empty mask store: masks of an earlier call must not pass for this one's."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.npz"):
        file.unlink()


def probabilities_at(
    store: ScanStore,
    series_uid: str,
    centres: npt.NDArray[np.float64],
    checkpoint: Checkpoint,
    params: SegmentParams,
) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
    """First voxel (z, y, x) of the cube around each place, and the probability of its voxels; 0 outside the scan.

    Args:
        store: The scans.
        series_uid: Which scan.
        centres: n x 3 voxel coordinates.
        checkpoint: A segmenter's.
        params: Of its use.
    """
    device = torch_device(params.accelerator)
    yield from _probabilities(load_network(checkpoint).to(device), store, series_uid, centres, params, device)


def _probabilities(
    network: Segmenter,
    store: ScanStore,
    series_uid: str,
    centres: npt.NDArray[np.float64],
    params: SegmentParams,
    device: torch.device,
) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
    geometry, edge = store.open(series_uid).geometry, params.roi_edge
    for first in range(0, len(centres), params.batch_size):
        part = centres[first : first + params.batch_size]
        cubes = torch.from_numpy(cubes_at(store, series_uid, part, edge)).to(device)
        for centre, probability in zip(part, _probability(network, cubes, params), strict=True):
            start = corner(centre, edge)
            yield start, probability * _inside(start, edge, geometry)


def _inside(start: Sequence[int], edge: int, geometry: Geometry) -> BoolArray:
    """Which voxels of a cube lie in the scan."""
    z, y, x = (
        (np.arange(first, first + edge) >= 0) & (np.arange(first, first + edge) < size)
        for first, size in zip(start, geometry.shape_zyx, strict=True)
    )
    return np.asarray(z[:, None, None] & y[:, None] & x)


def component_at(
    foreground: BoolArray, place_zyx: npt.NDArray[np.float64], search_mm: float, geometry: Geometry
) -> BoolArray:
    """The component that holds a place, or else the nearest one.

    Args:
        foreground: (z, y, x).
        place_zyx: Voxel coordinates in it.
        search_mm: A component farther away than this is not taken.
        geometry: Gives the size of a voxel.

    Returns:
        The component, or an empty mask.
    """
    labels, _ = label(foreground)
    voxels = np.argwhere(foreground)
    if not len(voxels):
        return foreground
    # The voxel that holds the place has its centre within half an edge of it along each axis.
    away = np.maximum(np.abs(voxels - place_zyx) - 0.5, 0) * np.asarray(geometry.spacing_zyx_mm)
    squared_mm2 = (away**2).sum(axis=1)
    nearest = int(squared_mm2.argmin())
    if squared_mm2[nearest] > search_mm**2:
        return np.zeros_like(foreground)
    return np.asarray(labels == labels[tuple(voxels[nearest])])


def _whole(
    network: Segmenter, scan: StoredScan, params: SegmentParams, threshold: float, device: torch.device
) -> BoolArray:
    """Foreground in the prepared region of a scan."""
    found = np.zeros(scan.shape, dtype=bool)
    stride = network.coarsest_stride
    halo = -(-params.halo // stride) * stride
    for start, shape in tiles(scan.shape, params.tile_edge, stride):
        region = scan.lung_patch(start, shape)
        if not region.any():
            continue
        outer = scan.patch([first - halo for first in start], [length + 2 * halo for length in shape])
        mask = _probability(network, torch.from_numpy(outer)[None].to(device), params)[0] >= threshold
        core = mask[tuple(slice(halo, halo + length) for length in shape)] & (region > 0)
        box = tuple(slice(first, first + length) for first, length in zip(start, shape, strict=True))
        target = found[box]  # the last tiles reach beyond the scan
        target[:] = core[tuple(slice(0, length) for length in target.shape)]
    return _largest(found, params.largest_components) if params.largest_components else found


def _largest(mask: BoolArray, count: int) -> BoolArray:
    labels, sizes = label(mask)
    kept = np.zeros(len(sizes), dtype=bool)
    kept[np.argsort(-sizes, kind="stable")[:count]] = True
    kept[0] = False
    return np.asarray(lookup(kept, labels))


@torch.inference_mode()
def _probability(network: Segmenter, images: Tensor, params: SegmentParams) -> npt.NDArray[np.float32]:
    """Of the voxels of uint8 images, B x D x H x W."""
    batch = images[:, None].float() / _UINT8_MAX
    mirrors = MIRRORS if params.mirror_average else MIRRORS[:1]
    total = torch.zeros_like(batch)
    for axes in mirrors:
        total += torch.sigmoid(network(batch.flip(axes)).float()).flip(axes)
    return (total[:, 0] / len(mirrors)).cpu().numpy()


def _threshold(checkpoint: Checkpoint, params: SegmentParams) -> float:
    """The given one, or that of the training."""
    return float(checkpoint.params["threshold"]) if params.threshold is None else params.threshold
