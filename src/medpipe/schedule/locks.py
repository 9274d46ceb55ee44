"""Locks that the kernel takes back when their holder dies, however it dies (``flock(2)``)."""

import fcntl
import os
import time
from pathlib import Path

_LOOKS, _LOOK_S = 5, 0.02
"""Who asks for the holder holds the lock for a moment, so it is tried so often, so many seconds apart."""


class FileLock:
    """An exclusive lock on a file.

    It belongs to the open file, so a child process that inherits ``descriptor`` holds it too, and goes on holding it
    after its parent was killed.

    Args:
        path: The file; made when it is missing, and never removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, while the lock is held."""
        if self._descriptor is None:
            raise RuntimeError(f"{self._path}: the lock is not held")
        return self._descriptor

    def acquire(self, note: str = "") -> bool:
        """Takes the lock if nobody holds it.

        Args:
            note: Who takes it, for the message that others show.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(_LOOKS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOOK_S)
        else:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Lets go; children that inherited the lock hold it on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> str | None:
        """The note of who holds the lock; None where nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, 200, 0).decode(errors="replace")
        finally:
            os.close(descriptor)
        return None
