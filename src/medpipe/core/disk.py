"""How much disk folders take."""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DiskUse:
    """What a file or folder takes.

    Attributes:
        path: Of it.
        size_bytes: Of all files in it; links are not followed.
        n_files: In it.
        complete: False if the time was up: it takes at least this much.
    """

    path: Path
    size_bytes: int
    n_files: int
    complete: bool


def disk_use(path: Path, until: float) -> DiskUse:
    """Adds up the files below a path.

    Args:
        path: File or folder; what vanishes meanwhile counts for nothing.
        until: Value of ``time.monotonic()`` at which to stop.
    """
    size, count, waiting = 0, 0, [str(path)]
    if not path.is_dir():
        return DiskUse(path, path.stat().st_size if path.exists() else 0, int(path.exists()), True)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
                        count += 1
                    if time.monotonic() > until:
                        return DiskUse(path, size, count, False)
        except OSError:  # removed by a run, or another's
            continue
    return DiskUse(path, size, count, True)
