"""Files that are either there in full or not at all.

Everything is written under a temporary name in the same folder and renamed at the end: POSIX ``rename(2)``
replaces the target in one step, so a killed process leaves the old file or the new one, never half of one.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".tmp-"


@contextmanager
def atomic_path(path: Path | str, suffix: str = "") -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it to ``path`` when the block ends without an error.

    Args:
        path: Where the file or folder is to appear. Missing parents are made.
        suffix: Ending of the temporary name, for writers that choose the format by it.

    Yields:
        A path that does not exist yet; write a file, or make a folder, there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=path.parent))
    temporary = holder / f"{path.name}{suffix}"
    try:
        yield temporary
        if temporary.is_dir():
            _replace_folder(temporary, path)
        else:
            _sync(temporary)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _replace_folder(temporary: Path, path: Path) -> None:
    """Puts the folder ``temporary`` in the place of ``path`` (``rename`` cannot replace a filled folder)."""
    if path.exists():
        os.replace(path, temporary.parent / "old")
    os.replace(temporary, path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path | str, text: str) -> None:
    """Writes ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, obj: Any) -> None:
    """Writes ``obj`` as indented JSON, atomically. NaN and infinity are refused: JSON has no such values."""
    write_text(path, json.dumps(obj, indent=2, sort_keys=True, allow_nan=False) + "\n")


def remove_leftovers(folder: Path | str) -> None:
    """Removes what a killed writer left under its temporary name in ``folder``."""
    for leftover in Path(folder).glob(f"{TEMPORARY_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
