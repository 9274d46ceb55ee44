"""Content fingerprints: the same content gives the same name, wherever and whenever it was written."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medpipe.core.atomic import TEMPORARY_PREFIX

DIGEST_BYTES = 16
_CHUNK_BYTES = 1 << 22
_CACHE_ABOVE_BYTES = 1 << 16  # smaller files are read faster than they are looked up
_CACHE_NAME = "digests.sqlite"
_NAMING_CACHE = "hashes.sqlite"  # of older versions: it held the names of the files, and is removed


def digest(*objects: Any) -> str:
    """Fingerprint of values: JSON-able objects, bytes, paths, arrays, data frames, pydantic models.

    Returns:
        32 hexadecimal digits (BLAKE2b).

    Raises:
        TypeError: For an object without a defined content.
    """
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for obj in objects:
        for part in _parts(obj):
            state.update(len(part).to_bytes(8, "little"))
            state.update(part)
    return state.hexdigest()


def _parts(obj: Any) -> Iterator[bytes]:
    import pandas as pd

    if isinstance(obj, bytes):
        yield obj
    elif isinstance(obj, np.ndarray):
        yield f"{obj.dtype.str}{obj.shape}".encode()
        yield np.ascontiguousarray(obj).tobytes()
    elif isinstance(obj, pd.DataFrame):
        yield json.dumps([[str(name), str(kind)] for name, kind in obj.dtypes.items()]).encode()
        yield pd.util.hash_pandas_object(obj, index=False).to_numpy().tobytes()
    elif hasattr(obj, "model_dump_json"):
        yield obj.model_dump_json().encode()
    else:
        yield json.dumps(obj, sort_keys=True, default=_as_json).encode()


def _as_json(obj: Any) -> Any:
    if isinstance(obj, Path):
        return obj.as_posix()
    if hasattr(obj, "model_dump"):
        return obj.model_dump(mode="json")
    if isinstance(obj, np.generic):
        return obj.item()
    raise TypeError(f"no fingerprint is defined for {type(obj).__name__}: {obj!r}")


def digest_path(path: Path | str, cache_folder: Path | str | None = None) -> str:
    """Fingerprint of the content of a file, or of all files below a folder with their relative names.

    Args:
        path: File or folder. Names that start with a dot (temporary files, caches) are passed over; what cannot be
            read in a folder counts by its name.
        cache_folder: Where to keep the digests of large files, keyed by name, size and modification time, so that
            terabytes of unchanged scans are not read at each run; None reads everything.

    Raises:
        FileNotFoundError: If ``path`` does not exist.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(path)
    with _HashCache(cache_folder) as cache:
        if path.is_file():
            return cache.digest(path)
        return digest([[file.relative_to(path).as_posix(), cache.digest_if_readable(file)] for file in _files(path)])


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", TEMPORARY_PREFIX)))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


class _HashCache:
    """Digests of files, remembered by absolute name, size and modification time.

    The three are kept as one digest: names of scans may be names of patients, and caches lie beside what leaves the
    raw layer.
    """

    def __init__(self, folder: Path | str | None) -> None:
        self._connection: sqlite3.Connection | None = None
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, _NAMING_CACHE).unlink(missing_ok=True)
            self._connection = sqlite3.connect(Path(folder, _CACHE_NAME), timeout=60)
            self._connection.execute("CREATE TABLE IF NOT EXISTS digests (state TEXT PRIMARY KEY, digest TEXT)")

    def __enter__(self) -> "_HashCache":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.commit()
            self._connection.close()

    def digest_if_readable(self, file: Path) -> str:
        """The digest, or what stands for a file that cannot be read: a link to nowhere, a pipe, a forbidden one."""
        try:
            return self.digest(file) if file.is_file() else "no file"
        except OSError as error:
            return type(error).__name__

    def digest(self, file: Path) -> str:
        stat = file.stat()
        if self._connection is None or stat.st_size < _CACHE_ABOVE_BYTES:
            return _digest_file(file)
        state = digest([str(file.resolve()), stat.st_size, stat.st_mtime_ns])
        found = self._connection.execute("SELECT digest FROM digests WHERE state = ?", (state,)).fetchone()
        if found is not None:
            return str(found[0])
        result = _digest_file(file)
        self._connection.execute("REPLACE INTO digests VALUES (?, ?)", (state, result))
        return result


def _digest_file(file: Path) -> str:
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()
