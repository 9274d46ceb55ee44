"""What every source of labels hands to intake: for each series, jobs that lay its findings over the scan's grid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry
from medpipe.ct.params import IngestCTParams
from medpipe.ct.readers.base import ScanRef

RATINGS = ("subtlety", "sphericity", "margin", "lobulation", "spiculation", "texture_rating", "malignancy")
"""LIDC's seven graded characteristics, 1 to 5 (McNitt-Gray et al., Academic Radiology 2007)."""


class LabelError(ValueError):
    """Labels of a series cannot be read; the message is a sentence without names of files or patients.

    The series is then rejected: without its findings it would pass for a healthy one.
    """


@dataclass(frozen=True)
class LesionMask:
    """Voxels of a finding in the grid of its scan as it lies in the files.

    Attributes:
        start_zyx: First voxel of the box.
        voxels: bool (z, y, x), the box.
    """

    start_zyx: tuple[int, int, int]
    voxels: NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """Something that was marked in a scan.

    Attributes:
        centre_xyz_mm: World LPS coordinates.
        kind: "nodule" for what is to be found, "irrelevant" for what is neither counted as found nor as false.
        diameter_mm: Of the sphere of the same volume; None where it was not measured.
        readers: How many readers marked it; None where that is not known.
        texture: "solid", "part-solid" or "ground-glass"; None where it is not known.
        label: Name that the source gives to it, such as a segment's label.
        ratings: Mean ratings by the names in `RATINGS`; those not given are missing.
        mask: Its voxels; None where only its place is known.
    """

    centre_xyz_mm: tuple[float, float, float]
    kind: str = "nodule"
    diameter_mm: float | None = None
    readers: int | None = None
    texture: str | None = None
    label: str | None = None
    ratings: Mapping[str, float] = field(default_factory=dict)
    mask: LesionMask | None = None


LabelJob = Callable[[Geometry], list[Finding]]
"""Picklable; called in a worker with the geometry of the scan as it lies in the files; raises `LabelError`."""


class LabelSource(Protocol):
    """What a module must offer to be named in ``ingest_ct.labels.sources``."""

    @staticmethod
    def discover(
        raw: Path, files: Sequence[Path], scans: Sequence[ScanRef], params: IngestCTParams
    ) -> dict[str, list[LabelJob]]:
        """Series uid to the jobs that give its findings; a series that was read and has none has an empty list."""


def finding_of_mask(mask: LesionMask, geometry: Geometry, kind: str = "nodule", label: str | None = None) -> Finding:
    """A finding with the centroid and the volume-equivalent diameter of its mask.

    Args:
        mask: At least one voxel set.
        geometry: Grid of the scan as it lies in the files.
        kind: See `Finding`.
        label: See `Finding`.
    """
    places = np.argwhere(mask.voxels)
    x, y, z = geometry.to_world([places.mean(axis=0) + mask.start_zyx])[0].tolist()
    volume_mm3 = len(places) * geometry.voxel_mm3
    return Finding((x, y, z), kind, float((6 * volume_mm3 / np.pi) ** (1 / 3)), label=label, mask=mask)


def cropped(voxels: NDArray[np.bool_], start_zyx: Sequence[int] = (0, 0, 0)) -> LesionMask:
    """A mask without the empty space around it.

    Raises:
        ValueError: If no voxel is set.
    """
    from scipy.ndimage import find_objects

    boxes = find_objects(voxels.astype(np.uint8))
    if not boxes:
        raise ValueError("the mask is empty")
    z, y, x = (first + part.start for first, part in zip(start_zyx, boxes[0], strict=True))
    return LesionMask((int(z), int(y), int(x)), np.ascontiguousarray(voxels[boxes[0]]))
