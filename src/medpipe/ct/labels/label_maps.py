"""Label maps: image files of whole numbers over a scan, by the names of `medpipe.ct.readers.image_names`."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from medpipe.ct.geometry import Geometry
from medpipe.ct.labels.base import Finding, LabelError, LabelJob, cropped
from medpipe.ct.labels.grids import check_overlap, findings_of_voxels
from medpipe.ct.params import IngestCTParams, LabelParams
from medpipe.ct.readers import itk
from medpipe.ct.readers.base import ScanReadError, ScanRef
from medpipe.ct.readers.image_names import label_maps, series_uid_of

MAX_VALUES = 256
"""Most different values of a label map; a scan that was taken for one has more."""

_logger = logging.getLogger(__name__)


def discover(
    raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
) -> dict[str, list[LabelJob]]:
    """One job for every label map whose scan is there: beside it, or the DICOM series or scan it is named after.

    Args:
        raw: The raw folder.
        files: All files below it.
        scans: All scans found.
        params: Ending of names, values, and whether to split.
    """
    by_path = {scan.path: scan.series_uid for scan in scans}
    uids = set(by_path.values())
    jobs: dict[str, list[LabelJob]] = defaultdict(list)
    n_stray = 0
    for file, target in label_maps(files, params.labels.map_suffix).items():
        if isinstance(target, Path):
            uid = by_path.get(target.relative_to(raw).as_posix())
        else:
            uid = target if target in uids else series_uid_of(target)
        if uid in uids:
            jobs[uid].append(partial(findings_of_map, file, params=params.labels))
        else:
            n_stray += 1
    if n_stray:
        _logger.warning("%d label maps belong to no accepted scan", n_stray)
    return dict(jobs)


def findings_of_map(file: Path, geometry: Geometry, params: LabelParams) -> list[Finding]:
    """Findings of a label map, value by value.

    Args:
        file: The label map.
        geometry: Grid of the scan as it lies in the files.
        params: Which values are findings, and whether their parts are findings of their own.

    Raises:
        LabelError: If the map cannot be read, has more values than labels, or lies elsewhere than the scan.
    """
    try:
        values, grid = itk.read_labels(file)
    except ScanReadError as error:
        raise LabelError(f"The label map cannot be read: {error.reason}") from error
    check_overlap(grid, geometry)
    chosen = values != 0 if params.map_values is None else np.isin(values, params.map_values)
    if not chosen.any():
        return []
    box = cropped(chosen)
    inside = tuple(slice(first, first + size) for first, size in zip(box.start_zyx, box.voxels.shape, strict=True))
    values, grid = values[inside], grid.crop(box.start_zyx, box.voxels.shape)
    present = np.unique(values[box.voxels]).tolist()
    if len(present) > MAX_VALUES:
        raise LabelError(f"The label map has {len(present)} values, at most {MAX_VALUES} are taken for labels.")
    return [
        finding
        for value in present
        for finding in findings_of_voxels(
            values == value, grid, geometry, split=params.split_components, label=f"value {value}"
        )
    ]
