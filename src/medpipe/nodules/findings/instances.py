"""One table of findings of unlabelled scans: detected, then outlined, then classified.

The chain does what Mask R-CNN does in one network (He et al. 2017): a score, a place, a mask and a class a finding.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.ct.components import label
from medpipe.ct.labels.base import LesionMask, cropped
from medpipe.ct.masks import MaskStore, write_masks
from medpipe.ct.store import ScanStore
from medpipe.nodules.classification.inference import classify_at
from medpipe.nodules.detection.inference import detect
from medpipe.nodules.detection.operating_point import operating_threshold
from medpipe.nodules.detection.params import DetectParams
from medpipe.nodules.evaluation.matching import POSITION
from medpipe.nodules.findings.models import Models
from medpipe.nodules.findings.params import FindParams
from medpipe.nodules.segmentation.inference import segment_at
from medpipe.nodules.segmentation.sizes import SIZE_COLUMNS, mask_sizes

INSTANCE_DTYPES = {
    "finding_id": "str",
    "series_uid": "str",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "diameter_mm": "float64",
    "probability": "float64",
    "alarm": "bool",
    "mask_number": "int64",
    "volume_mm3": "float64",
    "mask_diameter_mm": "float64",
    "long_axis_mm": "float64",
    "class_probability": "float64",
}
"""Columns of the table of instances. ``finding_id`` is ``<series_uid>-NNN``, the number of the finding in its scan;
``mask_number`` is the same number, or 0 where there is no mask, and sizes are then missing."""


def find_instances(
    store: ScanStore, series_uids: Sequence[str], models: Models, params: FindParams, folder: Path
) -> tuple[pd.DataFrame, MaskStore]:
    """Findings of stored scans, the most probable of each scan first; one scan in memory at a time.

    Of two candidates with the same mask the more probable one stays, and a voxel belongs to one finding at most. The
    place of a finding is the centroid of its mask, or where it has none, that of the detector.

    Args:
        store: The scans.
        series_uids: Which of them.
        models: The networks; without a segmenter there are no masks, without a classifier no class.
        params: Of the chain.
        folder: Where masks are written, in the grid of the stored scans.

    Returns:
        Columns of `INSTANCE_DTYPES`; and the masks.

    Raises:
        InputError: If a scan was prepared with another spacing or HU window than the networks' training scans.
    """
    search = params.detect or DetectParams(**models.detector.params["detection"])
    candidates = detect(store, series_uids, models.detector, search, models.reducer)
    return instances_of(store, candidates, models, params, folder)


def instances_of(
    store: ScanStore, candidates: pd.DataFrame, models: Models, params: FindParams, folder: Path
) -> tuple[pd.DataFrame, MaskStore]:
    """As `find_instances`, from candidates that are known already.

    Args:
        store: The scans.
        candidates: Of `detect` with the detector and the reducer of ``models``.
        models: The networks.
        params: Of the chain.
        folder: Where masks are written.
    """
    candidates = _alarms(candidates, models, params)
    if models.segmenter is None:
        masks = _empty_store(folder)
        found = candidates.assign(mask_number=0, **dict.fromkeys(SIZE_COLUMNS, np.nan))
    else:
        outlined, masks = segment_at(store, candidates, models.segmenter, params.segment, folder)
        parts = [_settle(store, masks, uid, part, params) for uid, part in outlined.groupby("series_uid", sort=False)]
        found = pd.concat(parts, ignore_index=True) if parts else outlined
    numbers = found.groupby("series_uid").cumcount() + 1
    ids = [f"{uid}-{number:03d}" for uid, number in zip(found["series_uid"], numbers, strict=True)]
    found = found.assign(finding_id=ids, class_probability=np.nan)
    if models.classifier is not None and len(found):
        found = classify_at(store, found, models.classifier, params.classify)
    return found[list(INSTANCE_DTYPES)].astype(INSTANCE_DTYPES), masks


def _alarms(candidates: pd.DataFrame, models: Models, params: FindParams) -> pd.DataFrame:
    """Candidates that count as findings, with ``alarm``: whether they reach the operating threshold."""
    operating = operating_threshold(models.detector, models.reducer)
    least = operating if params.threshold is None else params.threshold
    candidates = candidates.assign(alarm=candidates["probability"] >= operating)
    kept = candidates[candidates["probability"] >= least]
    return kept.groupby("series_uid", sort=False).head(params.max_findings).reset_index(drop=True)


def _empty_store(folder: Path) -> MaskStore:
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.npz"):
        stale.unlink()
    return MaskStore(folder)


def _settle(
    store: ScanStore, masks: MaskStore, series_uid: object, outlined: pd.DataFrame, params: FindParams
) -> pd.DataFrame:
    """The findings of one scan without repeats; their masks, without common voxels, are numbered and written anew."""
    uid = str(series_uid)
    geometry = store.open(uid).geometry
    _, given = masks.read(uid) or (geometry, {})
    owner = np.zeros(geometry.shape_zyx, dtype=np.uint16)
    settled: dict[int, LesionMask] = {}
    rows: list[dict[Hashable, Any]] = []
    for row in outlined.to_dict("records"):
        number = len(rows) + 1
        mask = given.get(int(row["mask_number"]))
        row |= {"mask_number": 0, **dict.fromkeys(SIZE_COLUMNS, np.nan)}
        if mask is not None:
            around = owner[tuple(slice(a, a + n) for a, n in zip(mask.start_zyx, mask.voxels.shape, strict=True))]
            free = _largest_part(mask.voxels & (around == 0))
            if not free.any() or _repeats(mask.voxels, around, settled, params.same_share):
                continue
            around[free] = number
            settled[number] = cropped(free, mask.start_zyx)
            centroid = geometry.to_world([np.argwhere(free).mean(axis=0) + mask.start_zyx])[0]
            row |= {"mask_number": number, **dict(zip(POSITION, centroid, strict=True))}
            row.update(mask_sizes(free, geometry).items())
        rows.append(row)
    write_masks(masks.folder, uid, geometry, settled)
    return pd.DataFrame(rows)


def _largest_part(voxels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is left of a mask is one piece: specks beside it would be read back as findings of their own."""
    labels, sizes = label(voxels)
    return np.asarray((labels == sizes.argmax()) & voxels)


def _repeats(
    voxels: NDArray[np.bool_], owner: NDArray[np.uint16], settled: dict[int, LesionMask], same_share: float
) -> bool:
    """Whether a mask shows one of the findings that own voxels already."""
    size = int(voxels.sum())
    numbers, counts = np.unique(owner[voxels], return_counts=True)
    return any(
        number > 0 and count > same_share * min(size, int(settled[number].voxels.sum()))
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
    )
