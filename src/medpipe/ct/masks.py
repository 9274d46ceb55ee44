"""Voxel masks of findings, one compressed file a scan, in the grid of the scan as it lies in the raw files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest_path
from medpipe.ct.geometry import Geometry, tuple_of_3
from medpipe.ct.labels.base import LesionMask


class MaskStore:
    """The masks of a folder: ``<series_uid>.npz`` for every scan with at least one. Safe to pickle.

    Args:
        folder: Made by `write_masks`.

    Raises:
        InputError: If the folder does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: expected the folder of the findings' masks; run the ingest_ct node first")

    def path(self, series_uid: str) -> Path:
        """The file of a scan; it is missing where the scan has no mask."""
        return self.folder / f"{series_uid}.npz"

    def read(self, series_uid: str) -> tuple[Geometry, dict[int, LesionMask]] | None:
        """The scan's grid and its masks by number (the last part of ``finding_id``), or None where it has none."""
        if not self.path(series_uid).is_file():
            return None
        with np.load(self.path(series_uid), allow_pickle=False) as data:
            geometry = Geometry.from_dict(json.loads(str(data["geometry"])))
            masks = {}
            for number, start, shape in zip(data["numbers"], data["starts"], data["shapes"], strict=True):
                bits = np.unpackbits(data[f"bits_{number}"], count=int(np.prod(shape)))
                masks[int(number)] = LesionMask(tuple_of_3(start, int), bits.reshape(shape).astype(bool))
        return geometry, masks

    def fingerprint(self) -> str:
        """Digest of the folder's content."""
        return digest_path(self.folder)


def write_masks(folder: Path, series_uid: str, geometry: Geometry, masks: Mapping[int, LesionMask]) -> None:
    """Writes the masks of a scan; without any, its file is removed.

    Args:
        folder: Of the store.
        series_uid: The scan.
        geometry: Grid of the scan as it lies in the raw files.
        masks: By number, 1 to 65535.
    """
    path = folder / f"{series_uid}.npz"
    if not masks:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "geometry": np.array(json.dumps(geometry.to_dict())),
        "numbers": np.array(list(masks), dtype=np.int64),
        "starts": np.array([mask.start_zyx for mask in masks.values()], dtype=np.int64),
        "shapes": np.array([mask.voxels.shape for mask in masks.values()], dtype=np.int64),
        **{f"bits_{number}": np.packbits(mask.voxels) for number, mask in masks.items()},
    }
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
