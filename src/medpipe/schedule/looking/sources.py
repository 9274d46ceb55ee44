"""Where a job's data come from, and what of them was not there before.

Items (files of scans, molecules) are told apart by a key of 64 bits: the digest of what they are. Keys hold no names,
which may be names of patients.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medpipe.core.errors import InputError
from medpipe.ct.params import CTSourceParams, IngestCTParams
from medpipe.molecules.intake.params import IngestSmilesParams, SmilesSourceParams
from medpipe.molecules.intake.readers import read_lines
from medpipe.molecules.properties.params import IngestPropertiesParams, PropertySourceParams
from medpipe.schedule.jobs import Job, read_parameters
from medpipe.schedule.looking.drift import Profile

Keys = NDArray[np.uint64]
_KEY_BYTES = 8


class Source(Protocol):
    """Data of the user's that a pipeline trains on."""

    @property
    def name(self) -> str:
        """Digest of where the data lie."""

    @property
    def unit(self) -> str:
        """What an item is, in the plural."""

    def keys(self) -> Keys:
        """Keys of all items, in order, each once."""

    def profile(self, keys: Keys) -> Profile:
        """What the items with these keys are like, from a sample."""


@dataclass(frozen=True)
class ScanFolder:
    """The folder of a user's scans; an item is a file, known by its name below the folder, its size and its time.

    Attributes:
        folder: The folder.
        params: How intake reads it.
    """

    folder: Path
    params: IngestCTParams
    unit = "files"

    @property
    def name(self) -> str:
        """Digest of where the folder lies."""
        return _digest_text(str(self.folder.resolve()))

    def keys(self) -> Keys:
        """Keys of all files."""
        return _sorted(list(self._files()))

    def profile(self, keys: Keys) -> Profile:
        """Spacing and Hounsfield units of scans among the files."""
        from medpipe.schedule.looking.scans import profile_of_scans

        wanted = set(keys.tolist())
        return profile_of_scans(
            self.folder, [path for key, path in self._files().items() if key in wanted], self.params
        )

    def _files(self) -> dict[int, Path]:
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: ct_source.folder is no folder; is the disk mounted?")
        found = {}
        for root, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
            for name in sorted(names):
                path = Path(root, name)
                with suppress(FileNotFoundError):  # such as what was still arriving, and has its name now
                    stat = path.stat()
                    if not name.startswith(".") and S_ISREG(stat.st_mode):
                        inside = os.fsencode(path.relative_to(self.folder))
                        found[_key(inside + f"|{stat.st_size}|{stat.st_mtime_ns}".encode())] = path
        return found


@dataclass(frozen=True)
class MoleculeFile:
    """A user's file of molecules; an item is a molecule, known by its text.

    Attributes:
        path: The file.
        column: With the SMILES.
        parameter: That names the file.
    """

    path: Path
    column: str
    parameter: str
    unit = "molecules"

    @property
    def name(self) -> str:
        """Digest of where the file lies."""
        return _digest_text(str(self.path.resolve()))

    def keys(self) -> Keys:
        """Keys of all molecules."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: {self.parameter} is no file; is the disk mounted?")
        return _sorted([_key(line.text.strip().encode()) for line in read_lines(self.path, self.column)])

    def profile(self, keys: Keys) -> Profile:
        """Properties of some of the molecules."""
        from medpipe.molecules.intake.readers import holds_mol_blocks
        from medpipe.schedule.looking.molecules import draw, profile_of_molecules

        drawn = set(draw(keys).tolist())
        lines = read_lines(self.path, self.column)
        texts = {key: line.text for line in lines if (key := _key(line.text.strip().encode())) in drawn}
        return profile_of_molecules([texts[key] for key in sorted(texts)], holds_mol_blocks(self.path))


def sources_of(project: Path, job: Job, env: str | None) -> list[Source]:
    """The user's data that a job's pipelines read; empty where they make or fetch their data themselves.

    Args:
        project: Folder of the project; relative paths begin there.
        job: The job.
        env: Kedro environment of the scheduler.

    Raises:
        InputError: The parameters cannot be read.
    """
    parameters = read_parameters(project, job, env)
    found: dict[str, Source] = {}
    for pipeline in job.pipelines:
        if (make := _SOURCES.get(pipeline)) is not None and (source := make(project, parameters)) is not None:
            found[source.name] = source
    return list(found.values())


def _scans(project: Path, parameters: Mapping[str, Any]) -> Source | None:
    folder = CTSourceParams.model_validate(parameters.get("ct_source", {})).folder
    params = IngestCTParams.model_validate(parameters.get("ingest_ct", {}))
    return None if folder is None else ScanFolder(project / folder.expanduser(), params)


def _molecules(project: Path, parameters: Mapping[str, Any]) -> Source | None:
    path = SmilesSourceParams.model_validate(parameters.get("smiles_source", {})).path
    column = IngestSmilesParams.model_validate(parameters.get("ingest_smiles", {})).column
    return None if path is None else MoleculeFile(project / Path(path).expanduser(), column, "smiles_source.path")


def _properties(project: Path, parameters: Mapping[str, Any]) -> Source | None:
    path = PropertySourceParams.model_validate(parameters.get("property_source", {})).path
    column = IngestPropertiesParams.model_validate(parameters.get("ingest_properties", {})).smiles_column
    return None if path is None else MoleculeFile(project / Path(path).expanduser(), column, "property_source.path")


_SOURCES: dict[str, Callable[[Path, Mapping[str, Any]], Source | None]] = {
    "imaging": _scans,
    "imaging_cv": _scans,
    "molecules": _molecules,
    "properties": _properties,
}


def pack(keys: Keys) -> bytes:
    """Keys as they are kept."""
    return zlib.compress(keys.astype("<u8").tobytes(), 1)


def unpack(data: bytes) -> Keys:
    """What `pack` packed."""
    return np.frombuffer(zlib.decompress(data), "<u8").astype(np.uint64)


def _sorted(keys: list[int]) -> Keys:
    return np.unique(np.array(keys, dtype=np.uint64))


def _key(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=_KEY_BYTES).digest(), "little")


def _digest_text(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
