"""A preprocessed scan of the store, read box by box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
from numpy.typing import NDArray

from medpipe.ct.geometry import Geometry


def image_path(folder: Path, series_uid: str) -> Path:
    """The compressed image of a scan."""
    return folder / f"{series_uid}.image.b2nd"


def lung_path(folder: Path, series_uid: str) -> Path:
    """The compressed lung mask of a scan."""
    return folder / f"{series_uid}.lung.b2nd"


def labels_path(folder: Path, series_uid: str) -> Path:
    """The compressed numbers of a scan's findings; missing where it has no masks."""
    return folder / f"{series_uid}.labels.b2nd"


@dataclass
class StoredScan:
    """One preprocessed scan, opened lazily. Safe to pickle: a worker process opens its own handles.

    Attributes:
        folder: The store's folder.
        series_uid: The scan.
        geometry: Grid of the stored arrays: isotropic, canonical LPS axes, cropped to the region and a margin.
        hu_window: Hounsfield units that were quantised to 0 and 255.
        has_labels: Whether masks of findings are stored.
    """

    folder: Path
    series_uid: str
    geometry: Geometry
    hu_window: tuple[float, float]
    has_labels: bool = False
    _handles: dict[str, blosc2.NDArray] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handles": {}}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        return self.geometry.shape_zyx

    @property
    def image(self) -> blosc2.NDArray:
        """The image, uint8 (z, y, x), decompressed where it is indexed."""
        return self._open(image_path(self.folder, self.series_uid))

    @property
    def lung(self) -> blosc2.NDArray:
        """The region that is looked at: the dilated lungs, or the body where preprocessing kept that.

        uint8 0 or 1 (z, y, x), decompressed where indexed.
        """
        return self._open(lung_path(self.folder, self.series_uid))

    @property
    def labels(self) -> blosc2.NDArray | None:
        """Numbers of the findings, uint16 (z, y, x), 0 for none; None where no masks are stored.

        A number is the last part of the ``finding_id`` in the table of findings.
        """
        return self._open(labels_path(self.folder, self.series_uid)) if self.has_labels else None

    def patch(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> NDArray[np.uint8]:
        """A box of the image; what lies outside the scan is 0, the lower end of the window.

        Args:
            start_zyx: First voxel (z, y, x), 0-based; may be negative.
            shape_zyx: Voxels along (z, y, x).
        """
        return np.asarray(_padded_read(self.image, start_zyx, shape_zyx))

    def lung_patch(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> NDArray[np.uint8]:
        """A box of the lung mask (0 or 1); what lies outside the scan is 0. Arguments as for `patch`."""
        return np.asarray(_padded_read(self.lung, start_zyx, shape_zyx))

    def label_patch(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> NDArray[np.uint16]:
        """A box of the findings' numbers, uint16; 0 outside the scan and where no masks are stored.

        Arguments as for `patch`.
        """
        labels = self.labels
        if labels is None:
            return np.zeros(tuple(shape_zyx), dtype=np.uint16)
        return np.asarray(_padded_read(labels, start_zyx, shape_zyx))

    def _open(self, path: Path) -> blosc2.NDArray:
        handle = self._handles.get(path.name)
        if handle is None:
            # One thread: blosc2's pool does not survive the fork of a data loader's worker.
            handle = blosc2.open(str(path), mode="r", dparams=blosc2.DParams(nthreads=1))
            self._handles[path.name] = handle
        return handle


def _padded_read(array: blosc2.NDArray, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> NDArray[Any]:
    start, shape = np.asarray(start_zyx, dtype=int), np.asarray(shape_zyx, dtype=int)
    low = np.clip(start, 0, array.shape)
    high = np.clip(start + shape, low, array.shape)
    inside = tuple(slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
    if np.array_equal(high - low, shape):
        return np.asarray(array[inside])
    patch = np.zeros(shape, dtype=array.dtype)
    if (high > low).all():
        target = tuple(slice(first, last) for first, last in zip(low - start, high - start, strict=True))
        patch[target] = array[inside]
    return patch
