"""From raw voxels to the scan store: one pass a scan, one core each, nothing done twice."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.atomic import remove_leftovers
from medpipe.core.fingerprint import digest, digest_path
from medpipe.core.parallel import parallel
from medpipe.ct.geometry import Geometry
from medpipe.ct.lungs import NoLungsError, find_lungs
from medpipe.ct.masks import MaskStore
from medpipe.ct.params import PreprocessParams
from medpipe.ct.readers import ScanReadError, find_reader
from medpipe.ct.resample import canonical_axes, isotropic, resample, to_canonical
from medpipe.ct.store import ScanStore, read_record, write_index, write_rejection, write_scan
from medpipe.ct.volume import Volume

CODE_VERSION = 1
"""Raised when a change of the code changes what is stored; older scans are then prepared again."""

PADDING_HU = -1024
"""Scanners fill the corners outside the field of view with values below air (-2000 and the like)."""

MASK_SCALE = 1000
"""A coarse 0/1 mask is interpolated as 0 to 1000; from half of it a voxel belongs to the lungs."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A scan ready for the store.

    Attributes:
        image: HU window quantised to 0..255, uint8 (z, y, x).
        lung: Lung mask with its margin, 0 or 1, uint8, same shape.
        geometry: Grid of both.
    """

    image: NDArray[np.uint8]
    lung: NDArray[np.uint8]
    geometry: Geometry


def prepare(volume: Volume, params: PreprocessParams) -> Prepared:
    """Orients, resamples, windows and crops one scan.

    Args:
        volume: Hounsfield units in any orientation and spacing.
        params: Spacing, window, margins.

    Raises:
        NoLungsError: If no lungs are found.
    """
    volume = to_canonical(Volume(np.maximum(volume.array, np.int16(PADDING_HU)), volume.geometry))
    coarse = find_lungs(volume, params.lungs)
    grid = isotropic(volume.geometry, params.spacing_mm)
    target = _around(coarse, grid, params.crop_margin_mm)
    scaled = Volume(coarse.array * np.int16(MASK_SCALE), coarse.geometry)
    lung = resample(scaled, target) >= MASK_SCALE // 2
    return Prepared(quantise(resample(volume, target), params.hu_window), lung.astype(np.uint8), target)


def quantise(array: NDArray[np.int16], hu_window: tuple[float, float]) -> NDArray[np.uint8]:
    """Hounsfield units to 0..255: the window's ends at the ends, rounded, clipped outside."""
    low, high = hu_window
    every = np.arange(-32768, 32768)
    table = np.rint(np.clip((every - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return np.asarray(table[array.view(np.uint16) ^ np.uint16(0x8000)])


def _around(mask: Volume, grid: Geometry, margin_mm: float) -> Geometry:
    """The part of a grid that covers the mask's box and a margin."""
    occupied = [np.flatnonzero(mask.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    ends = [[places[0] - 0.5, places[-1] + 0.5] for places in occupied]
    corners = grid.to_voxel(mask.geometry.to_world(np.asarray(ends).T))
    margin = margin_mm / np.asarray(grid.spacing_zyx_mm)
    low = np.maximum(np.floor(corners[0] - margin), 0).astype(int)
    high = np.minimum(np.ceil(corners[1] + margin) + 1, grid.shape_zyx).astype(int)
    return grid.crop(tuple(low.tolist()), tuple((high - low).tolist()))


@dataclass(frozen=True)
class _Item:
    """What a worker needs of a scan; the shape is along the patient's axes (z, y, x)."""

    series_uid: str
    source_series_uid: str
    reader: str
    path: str
    shape_zyx: tuple[int, int, int]


def preprocess(
    raw: Path | str,
    scans: pd.DataFrame,
    locations: pd.DataFrame,
    masks: MaskStore | None,
    params: PreprocessParams,
    folder: Path | str,
) -> ScanStore:
    """Prepares every accepted scan of the manifest that the store does not hold already.

    A scan is prepared again when its files, its masks, the parameters or the code's version changed. One that fails is
    recorded in the store's ``rejections`` and stops nobody else.

    Args:
        raw: The raw folder.
        scans: The manifest (``medpipe.ct.ingest.SCAN_COLUMNS``).
        locations: Where each series lies (``medpipe.ct.identity.LOCATION_COLUMNS``).
        masks: The findings' masks; None where there are none.
        params: How to prepare.
        folder: The store's folder; made where it is missing.

    Returns:
        The store of exactly these scans.
    """
    raw, folder = Path(raw), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    items = list(_items(scans, locations))
    work = partial(_prepare_item, raw=raw, masks=masks, params=params, folder=folder)
    done = list(parallel(work, items, n_jobs=params.n_jobs, description="preparing scans"))
    write_index(folder, [item.series_uid for item in items])
    store = ScanStore(folder)
    _logger.info("%d scans in the store, %d of them prepared now", len(store), sum(done))
    for code, part in store.rejections.groupby("code"):
        _logger.warning("%d scans rejected (%s), e.g. %s", len(part), code, part["reason"].iloc[0])
    return store


def _items(scans: pd.DataFrame, locations: pd.DataFrame) -> Iterator[_Item]:
    places = locations[["series_uid", "source_series_uid", "reader", "path"]]
    joined = scans[scans["accepted"]].merge(places, on="series_uid", validate="one_to_one")
    for row in joined.to_dict("records"):
        shape = (int(row["n_slices"]), int(row["n_rows"]), int(row["n_columns"]))
        yield _Item(row["series_uid"], row["source_series_uid"], row["reader"], row["path"], shape)


def _read(item: _Item, raw: Path) -> Volume:
    """The voxels of a scan that still is as it was at intake: a lost slice would stretch the others over its place."""
    volume = find_reader(item.reader).read_volume(raw, item.path, item.source_series_uid)
    found = canonical_axes(volume.geometry)[0].shape_zyx
    if found != item.shape_zyx:
        raise ScanReadError(f"The scan has {found} voxels (z, y, x), but had {item.shape_zyx} at intake.")
    return volume


def _prepare_item(item: _Item, raw: Path, masks: MaskStore | None, params: PreprocessParams, folder: Path) -> bool:
    """Prepares one scan unless it is there already; returns whether there was anything to do."""
    key = _key(item, raw, masks, params, folder)
    record = read_record(folder, item.series_uid)
    if record is not None and record["key"] == key:
        return False
    try:
        scan = prepare(_read(item, raw), params)
    except ScanReadError as error:
        write_rejection(folder, item.series_uid, error.code, error.reason, key=key)
    except NoLungsError as error:
        write_rejection(folder, item.series_uid, "no_lungs", str(error), key=key)
    else:
        write_scan(folder, item.series_uid, scan.image, scan.lung, scan.geometry, params.hu_window, key=key)
    return True


def _key(item: _Item, raw: Path, masks: MaskStore | None, params: PreprocessParams, folder: Path) -> str:
    """Digest of the scan's files and masks, the parameters that matter to it and the code's version."""
    files = find_reader(item.reader).content(raw, item.path)
    if masks is not None:
        files = [*files, masks.path(item.series_uid)]
    content = [digest_path(file, folder / ".digests") for file in files if file.exists()]
    relevant = params.model_dump(mode="json", exclude={"n_jobs"})
    return digest([CODE_VERSION, item.source_series_uid, item.reader, content, relevant])
