"""MOSES's own statistics of its test sets, read without trusting them.

They are pickles inside ``.npz`` files. A pickle can call any function, so this reader admits exactly what such
statistics consist of: arrays of numbers, counters, dictionaries, lists, strings and numbers. Any other name in the
pickle is refused before anything of it runs.
"""

import pickle
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medpipe.core.errors import InputError
from medpipe.molecules.metrics.fcd import Moments
from medpipe.molecules.metrics.fingerprints import N_BITS, pack
from medpipe.molecules.metrics.properties import PROPERTIES

_MEMBER = "stats.npy"
_ARRAY = object()  # stands for the class of arrays: a pickle may name it, but calling it fails


def read_moses_statistics(path: Path) -> dict[str, Any]:
    """Reads ``test_stats.npz`` or ``test_scaffolds_stats.npz`` of molsets 0.3.1.

    Returns:
        n, fingerprints, fragments, scaffolds, properties and chemnet, as ``Reference`` takes them.

    Raises:
        InputError: If the file holds anything but MOSES's statistics.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_MEMBER) as member:
            version = np.lib.format.read_magic(member)
            if version != (1, 0):
                raise pickle.UnpicklingError(f"version {version} of the .npy format")
            np.lib.format.read_array_header_1_0(member)
            statistics = _Reader(member).load()
        return _convert(statistics.item() if isinstance(statistics, np.ndarray) else statistics)
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise InputError(
            f"{path}: not the statistics of MOSES ({error}). Expected {_MEMBER} as in the wheel molsets 0.3.1; "
            "take the file from there, or set reference: computed."
        ) from error


class _Reader(pickle.Unpickler):
    """Unpickler that knows five names, three of them replaced by functions that check their arguments."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (allowed := _ALLOWED.get((module, name))) is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"it refers to {pid!r} outside of it")


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"bytes in {encoding!r}")
    return text.encode("latin1")


def _empty_array(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """What numpy pickles an array by; its content follows as the array's state."""
    if kind is not _ARRAY or shape != (0,) or code not in (b"b", "b"):
        raise pickle.UnpicklingError("an array of an unknown kind")
    return np.ndarray((0,), dtype=np.int8)


def _dtype(code: str, align: int = 0, copy: int = 1) -> np.dtype[Any]:
    if code not in ("f4", "f8", "u1", "i8", "O8"):
        raise pickle.UnpicklingError(f"an array of {code!r}")
    return np.dtype(code, align=bool(align), copy=bool(copy))


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "Counter"): Counter,
}


def _convert(statistics: dict[str, Any]) -> dict[str, Any]:
    fingerprints = statistics["SNN"]["fps"]
    if fingerprints.dtype != np.uint8 or fingerprints.ndim != 2 or fingerprints.shape[1] != N_BITS:
        raise ValueError(f"fingerprints are {fingerprints.dtype} {fingerprints.shape}")
    return {
        "n": len(fingerprints),
        "fingerprints": pack(fingerprints),
        "fragments": {str(name): int(count) for name, count in statistics["Frag"]["frag"].items()},
        "scaffolds": {str(name): int(count) for name, count in statistics["Scaf"]["scaf"].items()},
        "properties": np.column_stack(
            [np.asarray(statistics[name]["values"], dtype=np.float64) for name in PROPERTIES]
        ),
        "chemnet": Moments(
            np.asarray(statistics["FCD"]["mu"], dtype=np.float64),
            np.asarray(statistics["FCD"]["sigma"], dtype=np.float64),
        ),
    }
