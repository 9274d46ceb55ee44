"""Files inside zip archives, read where they lie: ``a.zip/inner/name`` is a path like any other.

Nothing is extracted to disk, and an archive that could fill memory or that needs a password is refused as a whole.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

ARCHIVE_SUFFIX = ".zip"

MAX_RATIO = 200
"""Largest expansion of a big member: CT shrinks to a half or a third, deflate's utmost of 1032 is a zip bomb's."""

RATIO_FROM_BYTES = 1 << 26
"""Members that are smaller than this may expand as much as they like: an empty slice shrinks to almost nothing."""

MAX_MEMBERS = 1_000_000
"""More names than this are no export of a hospital's archive."""

METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})

OPEN_ARCHIVES = 4
"""Archives whose list of names is kept; it is read once for all their members."""

BUFFER_BYTES = 1 << 16

_ENCRYPTED = 0x1  # bit 0 of the general purpose flags (PKWARE APPNOTE 4.4.4)


class ArchiveError(OSError):
    """An archive or a member cannot be read; the message is a sentence without names of files."""


@dataclass(frozen=True)
class BrokenArchive:
    """An archive that is left out.

    Attributes:
        path: The archive.
        reason: A sentence without names of files.
    """

    path: Path
    reason: str


def is_archive(path: Path) -> bool:
    """Whether a path is named like an archive."""
    return path.suffix.lower() == ARCHIVE_SUFFIX


def archive_of(path: Path) -> Path | None:
    """The archive on disk that holds a path, or that it is; None for a path outside any archive."""
    if ARCHIVE_SUFFIX not in str(path).lower():
        return None
    parts = path.parts
    for count, part in enumerate(parts, start=1):
        if part.lower().endswith(ARCHIVE_SUFFIX) and (archive := Path(*parts[:count])).is_file():
            return archive
    return None


def expand(files: Iterable[Path]) -> tuple[list[Path], list[BrokenArchive]]:
    """The files, with every archive replaced by its members.

    Args:
        files: Files on disk.

    Returns:
        Files and members, and the archives that cannot be opened.
    """
    result: list[Path] = []
    broken: list[BrokenArchive] = []
    for file in files:
        if not is_archive(file):
            result.append(file)
            continue
        try:
            members = [file / name for name in _members(file)]
        except ArchiveError as error:
            broken.append(BrokenArchive(file, str(error)))
            continue
        result += [member for member in members if not is_archive(member)]
        nested = "An archive within an archive is not opened; unpack the outer one."
        broken += [BrokenArchive(member, nested) for member in members if is_archive(member)]
    return result, broken


def files_below(path: Path) -> list[Path]:
    """All files below a folder, an archive or a folder in an archive, in a fixed order; hidden ones are left out."""
    if (archive := archive_of(path)) is None:
        return expand(_walk(path))[0]
    prefix = path.relative_to(archive).as_posix()
    names = [name for name in _members(archive) if prefix == "." or name.startswith(f"{prefix}/")]
    return [archive / name for name in names if not is_archive(Path(name))]


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _is_hidden(folder: str) -> bool:
    return folder.startswith((".", "__"))  # "__MACOSX" is what macOS adds to its archives


def open_file(path: Path) -> BinaryIO:
    """A file or a member of an archive for reading, with seek.

    Raises:
        OSError: If it cannot be opened.
    """
    if (archive := archive_of(path)) is None:
        return path.open("rb")
    opened = _open_archive(archive)
    try:
        member = opened.zip.open(_info(opened, archive, path))
    except Exception as error:  # zipfile fails on damaged local headers in many ways
        raise ArchiveError(f"A member of the archive cannot be opened ({type(error).__name__}).") from error
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, member), BUFFER_BYTES))


def file_size(path: Path) -> int:
    """Length of a file, or of a member of an archive when unpacked, in bytes.

    Raises:
        OSError: If it is not there.
    """
    if (archive := archive_of(path)) is None:
        return path.stat().st_size
    return _info(_open_archive(archive), archive, path).file_size


def stamp(path: Path) -> tuple[str, int, int]:
    """What changes when a file, or the archive that holds it, is written anew: name, length, time."""
    on_disk = (archive_of(path) or path).stat()
    return str(path), on_disk.st_size, on_disk.st_mtime_ns


@dataclass(frozen=True)
class _Opened:
    zip: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]


def close_archives() -> None:
    """Closes those that are kept open: an archive that was removed takes up its room on disk until then."""
    _open_version.cache_clear()


def _info(opened: _Opened, archive: Path, path: Path) -> zipfile.ZipInfo:
    try:
        return opened.members[path.relative_to(archive).as_posix()]
    except KeyError as error:
        raise ArchiveError("A member is no longer in its archive.") from error


def _members(archive: Path) -> list[str]:
    return sorted(_open_archive(archive).members)


def _open_archive(archive: Path) -> _Opened:
    on_disk = archive.stat()
    # the process is part of the key: a forked worker must not share the parent's place in the file
    return _open_version(archive, on_disk.st_size, on_disk.st_mtime_ns, os.getpid())


@lru_cache(maxsize=OPEN_ARCHIVES)
def _open_version(archive: Path, size: int, modified_ns: int, process: int) -> _Opened:
    try:
        opened = zipfile.ZipFile(archive)
    except Exception as error:  # zipfile fails on damaged directories in many ways
        raise ArchiveError(f"The archive cannot be opened ({type(error).__name__}).") from error
    infos = opened.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ArchiveError(f"The archive names {len(infos)} members, at most {MAX_MEMBERS} expected.")
    members = {name: info for info in infos if not info.is_dir() and (name := _plain_name(info.filename))}
    for info in members.values():
        _check_member(info)
    return _Opened(opened, members)


def _plain_name(name: str) -> str | None:
    """The name below the archive; None for hidden members and for names that lead out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or parts[-1].startswith(".") or any(_is_hidden(part) for part in parts[:-1]):
        return None
    return "/".join(parts)


def _check_member(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError("The archive is encrypted.")
    if info.compress_type not in METHODS:
        raise ArchiveError(f"The archive is packed by method {info.compress_type}, which is not supported.")
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > RATIO_FROM_BYTES and ratio > MAX_RATIO:
        raise ArchiveError(f"A member would unpack to {ratio:.0f} times its size, at most {MAX_RATIO} allowed.")
