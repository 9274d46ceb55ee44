"""From raw voxels to the scan store: one pass a scan, one core each, nothing done twice."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.atomic import remove_leftovers
from medpipe.core.code_version import code_digest
from medpipe.core.fingerprint import digest, digest_path
from medpipe.core.parallel import parallel, worker_count
from medpipe.ct.body import NoBodyError, find_body
from medpipe.ct.geometry import Geometry
from medpipe.ct.label_array import label_array
from medpipe.ct.labels.base import LesionMask
from medpipe.ct.lungs import NoLungsError, find_lungs
from medpipe.ct.masks import MaskStore
from medpipe.ct.memory import needed_gb, workers_within
from medpipe.ct.params import PreprocessParams
from medpipe.ct.readers import ScanReadError, find_reader
from medpipe.ct.resample import canonical_axes, isotropic, resample_mask, resample_through, to_canonical
from medpipe.ct.store import ScanStore, read_record, write_index, write_rejection, write_scan
from medpipe.ct.straighten import SkewedSlicesError, straighten
from medpipe.ct.volume import Volume

NOT_IN_KEY = {"n_jobs", "max_memory_gb", "backend"}
"""Parameters that change how fast a scan is prepared, not what is stored."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A scan ready for the store.

    Attributes:
        image: HU window quantised to 0..255, uint8 (z, y, x).
        lung: The region: the lungs with their margin, or the body; 0 or 1, uint8, same shape.
        geometry: Grid of all arrays.
        lung_ml: Air-filled volume of the right and the left lung; None where the region is the body.
        labels: Numbers of the findings, uint16, same shape, 0 for none; None where there are no masks.
    """

    image: NDArray[np.uint8]
    lung: NDArray[np.uint8]
    geometry: Geometry
    lung_ml: tuple[float, float] | None
    labels: NDArray[np.uint16] | None = None


def prepare(
    volume: Volume, params: PreprocessParams, masks: tuple[Geometry, Mapping[int, LesionMask]] | None = None
) -> Prepared:
    """Straightens, orients, resamples, windows and crops one scan.

    Args:
        volume: Hounsfield units in any orientation and spacing, stacked at a slant or not.
        params: Spacing, window, region, margins.
        masks: The grid of the scan as it lies in the raw files, and masks of findings by number.

    Raises:
        NoLungsError: If no lungs are found where the region is that.
        NoBodyError: If nobody is found where the region is the body.
        SkewedSlicesError: If the axes within the slices are not at right angles.
    """
    volume = to_canonical(straighten(volume))
    mask, geometry, lung_ml = _region(volume, params)
    target = _around(mask, geometry, isotropic(volume.geometry, params.spacing_mm), params.crop_margin_mm)
    return Prepared(
        resample_through(volume, target, quantiser(params.hu_window)),
        resample_mask(mask.view(np.uint8), geometry, target),
        target,
        lung_ml,
        label_array(*masks, target) if masks is not None else None,
    )


def _region(volume: Volume, params: PreprocessParams) -> tuple[NDArray[np.bool_], Geometry, tuple[float, float] | None]:
    """What is kept, on its grid, and the volume of both lungs where they are looked for."""
    if params.region == "body":
        coarse, body = find_body(volume)
        if not body.any():
            raise NoBodyError("Nobody was found: no tissue that holds together.")
        return body, coarse.geometry, None
    lungs = find_lungs(volume, params.lungs)
    return lungs.mask, lungs.geometry, (lungs.right_ml, lungs.left_ml)


@lru_cache(maxsize=8)
def quantiser(hu_window: tuple[float, float]) -> NDArray[np.uint8]:
    """What is stored for -32768 to 32767 HU: the window's ends at 0 and 255, rounded, clipped outside."""
    low, high = hu_window
    every = np.arange(-32768, 32768)
    return np.rint(np.clip((every - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _around(mask: NDArray[np.bool_], geometry: Geometry, grid: Geometry, margin_mm: float) -> Geometry:
    """The part of a grid that covers the mask's box and a margin."""
    occupied = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    ends = [[places[0] - 0.5, places[-1] + 0.5] for places in occupied]
    corners = grid.to_voxel(geometry.to_world(np.asarray(ends).T))
    margin = margin_mm / np.asarray(grid.spacing_zyx_mm)
    low = np.maximum(np.floor(corners[0] - margin), 0).astype(int)
    high = np.minimum(np.ceil(corners[1] + margin) + 1, grid.shape_zyx).astype(int)
    return grid.crop(tuple(low.tolist()), tuple((high - low).tolist()))


@dataclass(frozen=True)
class _Item:
    """What a worker needs of a scan; shape and spacing are along the patient's axes (z, y, x)."""

    series_uid: str
    source_series_uid: str
    reader: str
    path: str
    shape_zyx: tuple[int, int, int]
    needed_gb: float


def preprocess(
    raw: Path | str,
    scans: pd.DataFrame,
    locations: pd.DataFrame,
    masks: MaskStore | None,
    params: PreprocessParams,
    folder: Path | str,
) -> ScanStore:
    """Prepares every accepted scan of the manifest that the store does not hold already.

    A scan is prepared again when its files, its masks, the parameters or the code changed. One that fails is
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
    items = list(_items(scans, locations, params))
    version = code_digest(_prepare_item)
    work = partial(_prepare_item, raw=raw, masks=masks, params=params, folder=folder, code=version)
    n_jobs = _workers(items, params)
    done = list(parallel(work, items, n_jobs=n_jobs, description="preparing scans", backend=params.backend))
    write_index(folder, [item.series_uid for item in items])
    store = ScanStore(folder)
    _logger.info("%d scans in the store, %d of them prepared now", len(store), sum(done))
    for code, part in store.rejections.groupby("code"):
        _logger.warning("rejected as %s: %d, e.g. %s", code, len(part), part["reason"].iloc[0])
    return store


def _workers(items: Sequence[_Item], params: PreprocessParams) -> int:
    """As many workers as wanted, or as the largest scans leave memory for."""
    wanted = worker_count(params.n_jobs, params.backend)
    fitting = [item.needed_gb for item in items if item.needed_gb <= params.max_memory_gb]
    workers = workers_within(params.max_memory_gb, fitting, wanted)
    if workers < min(wanted, len(items)):
        _logger.info(
            "%d workers instead of %d: the largest scan needs %.1f GB, and max_memory_gb is %g",
            workers, wanted, max(fitting), params.max_memory_gb,
        )  # fmt: skip
    return workers


def _items(scans: pd.DataFrame, locations: pd.DataFrame, params: PreprocessParams) -> Iterator[_Item]:
    places = locations[["series_uid", "source_series_uid", "reader", "path"]]
    joined = scans[scans["accepted"]].merge(places, on="series_uid", validate="one_to_one")
    for row in joined.to_dict("records"):
        shape = (int(row["n_slices"]), int(row["n_rows"]), int(row["n_columns"]))
        spacing = (row["spacing_z_mm"], row["spacing_y_mm"], row["spacing_x_mm"])
        need = needed_gb(shape, spacing, params.spacing_mm)
        yield _Item(row["series_uid"], row["source_series_uid"], row["reader"], row["path"], shape, need)


def _read(item: _Item, raw: Path) -> Volume:
    """The voxels of a scan that still is as it was at intake: a lost slice would stretch the others over its place."""
    try:
        volume = find_reader(item.reader).read_volume(raw, item.path, item.source_series_uid)
    except (ScanReadError, MemoryError):
        raise
    except Exception as error:  # of a reader of the user's own: it stops no other scan
        raise ScanReadError(f"The reader failed ({type(error).__name__}).") from error
    found = canonical_axes(volume.geometry)[0].shape_zyx
    if found != item.shape_zyx:
        raise ScanReadError(f"The scan has {found} voxels (z, y, x), but had {item.shape_zyx} at intake.")
    return volume


def _prepare_item(
    item: _Item, raw: Path, masks: MaskStore | None, params: PreprocessParams, folder: Path, code: str
) -> bool:
    """Prepares one scan unless it is there already; returns whether there was anything to do."""
    key = _key(item, raw, masks, params, folder, code)
    record = read_record(folder, item.series_uid)
    if record is not None and record["key"] == key:
        return False
    reject = partial(write_rejection, folder, item.series_uid)
    if item.needed_gb > params.max_memory_gb:
        # Another key than the scan's own: it is tried again as soon as the limit is raised.
        reject("too_large", _too_large(item, params), key=digest([key, params.max_memory_gb]))
        return True
    try:
        scan = prepare(_read(item, raw), params, None if masks is None else masks.read(item.series_uid))
    except ScanReadError as error:
        reject(error.code, error.reason, key=key)
    except MemoryError:
        reject("too_large", "The memory of the machine did not suffice.", key=digest([key, params.max_memory_gb]))
    except SkewedSlicesError as error:
        reject("skewed_slices", f"The scan cannot be resampled: {error}.", key=key)
    except NoLungsError as error:
        reject("no_lungs", str(error), key=key)
    except NoBodyError as error:
        reject("no_body", str(error), key=key)
    else:
        write_scan(
            folder, item.series_uid, scan.image, scan.lung, scan.geometry, params.hu_window,
            key=key, labels=scan.labels, lung_ml=scan.lung_ml,
        )  # fmt: skip
    return True


def _too_large(item: _Item, params: PreprocessParams) -> str:
    depth, height, width = item.shape_zyx
    return (
        f"{depth} x {height} x {width} voxels resampled to {params.spacing_mm:g} mm need {item.needed_gb:.1f} GB, "
        f"max_memory_gb allows {params.max_memory_gb:g}."
    )


def _key(item: _Item, raw: Path, masks: MaskStore | None, params: PreprocessParams, folder: Path, code: str) -> str:
    """Digest of the scan's files and masks, the parameters that matter to it and the code."""
    files = find_reader(item.reader).content(raw, item.path)
    if masks is not None:
        files = [*files, masks.path(item.series_uid)]
    content = [digest_path(file, folder / ".digests") for file in files if file.exists()]
    relevant = params.model_dump(mode="json", exclude=NOT_IN_KEY)
    return digest([code, item.source_series_uid, item.reader, content, relevant])
