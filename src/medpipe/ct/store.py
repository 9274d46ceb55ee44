"""The scan store: one preprocessed scan is two or three chunked compressed arrays and one JSON record.

A store is a folder of ``<series_uid>.image.b2nd``, ``<series_uid>.lung.b2nd``, ``<series_uid>.labels.b2nd`` where
masks of findings are known, and ``<series_uid>.json``. The record is written last and removed first, so a scan exists
exactly when its record does, and a killed writer leaves nothing that could be read. A scan whose preparation failed
has a record too, with the reason and no arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medpipe.core.atomic import atomic_path, write_json
from medpipe.core.errors import InputError
from medpipe.core.fingerprint import digest, digest_path
from medpipe.ct.geometry import Geometry
from medpipe.ct.stored_scan import StoredScan, image_path, labels_path, lung_path

CHUNK_EDGE = 96
"""Edge of a compressed chunk in voxels: a 96^3 patch touches at most eight of them."""

BLOCK_EDGE = 32
"""Edge of a block, the unit that is decompressed on a read."""

ZSTD_LEVEL = 1
"""CT noise does not compress further: higher levels cost time and win under 2 % of size."""

FORMAT_VERSION = 2
"""Raised when the layout of a record or an array changes; older scans are then prepared again."""

INDEX_FILE = "index.json"
"""Names the scans of the last complete preparation; without it, every scan with a record belongs."""

UInt8Array = NDArray[np.uint8]
UInt16Array = NDArray[np.uint16]

_UID_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")


def is_storable_uid(series_uid: str) -> bool:
    """Whether a uid can name a file: at most 128 letters, digits, ``_ . -``, not starting with a dot."""
    return _UID_PATTERN.fullmatch(series_uid) is not None and f"{series_uid}.json" != INDEX_FILE


def record_path(folder: Path, series_uid: str) -> Path:
    """The JSON record of a scan.

    Raises:
        InputError: the uid cannot name a file.
    """
    if not is_storable_uid(series_uid):
        raise InputError(
            f"{folder}: series_uid {series_uid!r} cannot name a file; "
            "expected 1 to 128 letters, digits, '_', '.' or '-', not starting with a dot"
        )
    return folder / f"{series_uid}.json"


def read_record(folder: Path, series_uid: str) -> dict[str, Any] | None:
    """The record of a scan, or None where there is none, or only a damaged one or one of an older format."""
    try:
        record = json.loads(record_path(folder, series_uid).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    if not isinstance(record, dict) or record.get("format") != FORMAT_VERSION:
        return None
    return record


class ScanStore:
    """The preprocessed scans of a folder. Cheap to build, safe to pickle.

    Args:
        folder: A store's folder, as `write_scan` and `medpipe.ct.preprocess.preprocess` fill it.

    Raises:
        InputError: the folder does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: expected the folder of a scan store; run the preprocess node first")
        self._records = dict(self._read_records())
        self._open: dict[str, StoredScan] = {}

    def _read_records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        index = self.folder / INDEX_FILE
        if index.is_file():
            uids = json.loads(index.read_text(encoding="utf-8"))["series_uids"]
        else:
            uids = [path.name.removesuffix(".json") for path in self.folder.glob("*.json")]
        for uid in sorted(uids):
            record = read_record(self.folder, uid)
            if record is not None:
                yield uid, record

    @property
    def series_uids(self) -> list[str]:
        """The scans that can be opened, sorted."""
        return [uid for uid, record in self._records.items() if record["status"] == "stored"]

    @property
    def rejections(self) -> pd.DataFrame:
        """The scans that could not be prepared: columns series_uid, code, reason."""
        rows = [
            (uid, record["code"], record["reason"])
            for uid, record in self._records.items()
            if record["status"] == "rejected"
        ]
        return pd.DataFrame(rows, columns=["series_uid", "code", "reason"], dtype="str")

    def __len__(self) -> int:
        return len(self.series_uids)

    def __contains__(self, series_uid: object) -> bool:
        return isinstance(series_uid, str) and self._records.get(series_uid, {}).get("status") == "stored"

    def open(self, series_uid: str) -> StoredScan:
        """A scan of the store; opened once, then kept.

        Raises:
            InputError: the store does not hold the scan.
        """
        if series_uid not in self._open:
            record = self.record(series_uid)
            low, high = record["hu_window"]
            self._open[series_uid] = StoredScan(
                self.folder,
                series_uid,
                Geometry.from_dict(record["geometry"]),
                (float(low), float(high)),
                bool(record["has_labels"]),
            )
        return self._open[series_uid]

    def record(self, series_uid: str) -> dict[str, Any]:
        """What is known of a scan without a look at its voxels.

        Returns:
            ``geometry``, ``hu_window``, ``has_labels``; ``histogram`` and ``lung_histogram``: 256 counts of the stored
            values in the whole scan and inside the lung mask; ``lung_ml``: air-filled volume of the right and the
            left lung in ml, where it was measured.

        Raises:
            InputError: the store does not hold the scan.
        """
        if series_uid not in self:
            raise InputError(
                f"{self.folder}: series_uid {series_uid!r} is not in the store of {len(self)} scans; "
                "run the preprocess node, or look for the scan in `rejections`"
            )
        return dict(self._records[series_uid])

    def fingerprint(self) -> str:
        """Digest of what the store holds, from the digests in the records: no voxel is read.

        A scan that was prepared again with the same result has the same digest.
        """
        return digest([[uid, record.get("content", record["key"])] for uid, record in self._records.items()])


def write_scan(
    folder: Path,
    series_uid: str,
    image: UInt8Array,
    lung: UInt8Array | NDArray[np.bool_],
    geometry: Geometry,
    hu_window: tuple[float, float],
    *,
    key: str,
    labels: UInt16Array | None = None,
    lung_ml: tuple[float, float] | None = None,
) -> StoredScan:
    """Write one scan to a store; a killed write leaves the store without that scan.

    Args:
        folder: The store's folder, made where it is missing.
        series_uid: The scan.
        image: Quantised image, uint8 (z, y, x).
        lung: Lung mask, same shape.
        geometry: Grid of both arrays.
        hu_window: Hounsfield units of 0 and 255.
        key: Digest of everything the arrays were made from.
        labels: Numbers of the findings, same shape; None where the scan has no masks.
        lung_ml: Air-filled volume of the right and the left lung.

    Raises:
        InputError: shapes differ, or the uid cannot name a file.
    """
    arrays = {"image": image, "lung": lung} | ({} if labels is None else {"labels": labels})
    if any(array.shape != tuple(geometry.shape_zyx) for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(
            f"{series_uid}: {shapes} and geometry {tuple(geometry.shape_zyx)} must have one shape (z, y, x)"
        )
    from medpipe.ct.histogram import histograms

    lung = np.asarray(lung, dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    forget_scan(folder, series_uid)
    written: dict[Path, NDArray[Any]] = {image_path(folder, series_uid): image, lung_path(folder, series_uid): lung}
    if labels is not None:
        written[labels_path(folder, series_uid)] = labels
    for path, array in written.items():
        _write_array(path, array)
    whole, inside = histograms(image, lung)
    window = (float(hu_window[0]), float(hu_window[1]))
    write_json(
        record_path(folder, series_uid),
        {
            "format": FORMAT_VERSION,
            "status": "stored",
            "key": key,
            "content": digest([digest_path(path) for path in written], geometry.to_dict(), window),
            "geometry": geometry.to_dict(),
            "hu_window": list(window),
            "has_labels": labels is not None,
            "lung_ml": None if lung_ml is None else [round(ml, 1) for ml in lung_ml],
            "histogram": whole,
            "lung_histogram": inside,
        },
    )
    return StoredScan(folder, series_uid, geometry, window, labels is not None)


def write_rejection(folder: Path, series_uid: str, code: str, reason: str, *, key: str) -> None:
    """Record that a scan could not be prepared, and why.

    Args:
        folder: The store's folder, made where it is missing.
        series_uid: The scan.
        code: Short code, e.g. ``no_lungs``.
        reason: One sentence for a person.
        key: Digest of everything the attempt was made from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forget_scan(folder, series_uid)
    write_json(
        record_path(folder, series_uid),
        {"format": FORMAT_VERSION, "status": "rejected", "key": key, "code": code, "reason": reason},
    )


def write_index(folder: Path, series_uids: Sequence[str]) -> None:
    """Say which scans make up the store now; others stay on disk, unread, and can be used again."""
    write_json(folder / INDEX_FILE, {"series_uids": sorted(series_uids)})


def forget_scan(folder: Path, series_uid: str) -> None:
    """Remove a scan from a store; the record goes first."""
    record_path(folder, series_uid).unlink(missing_ok=True)
    image_path(folder, series_uid).unlink(missing_ok=True)
    lung_path(folder, series_uid).unlink(missing_ok=True)
    labels_path(folder, series_uid).unlink(missing_ok=True)


def _write_array(path: Path, array: NDArray[Any]) -> None:
    chunks = tuple(min(CHUNK_EDGE, size) for size in array.shape)
    blocks = tuple(min(BLOCK_EDGE, size) for size in chunks)
    # Shuffling the bytes of single-byte values changes nothing and costs a third of a read.
    shuffle = blosc2.Filter.NOFILTER if array.itemsize == 1 else blosc2.Filter.SHUFFLE
    with atomic_path(path) as temporary:
        blosc2.asarray(
            np.ascontiguousarray(array),
            urlpath=str(temporary),
            mode="w",
            chunks=chunks,
            blocks=blocks,
            cparams=blosc2.CParams(codec=blosc2.Codec.ZSTD, clevel=ZSTD_LEVEL, filters=[shuffle], nthreads=1),
        )
