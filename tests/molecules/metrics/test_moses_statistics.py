"""Reading MOSES's statistics: what they hold comes out, anything else in the pickle is refused before it runs."""

import io
import pickle
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpipe.core.errors import InputError
from medpipe.molecules.metrics.fingerprints import N_BITS
from medpipe.molecules.metrics.moses_statistics import read_moses_statistics

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, size=(5, N_BITS)).astype(np.uint8)
STATISTICS: dict[str, Any] = {
    "FCD": {"mu": np.arange(3, dtype=np.float32), "sigma": np.eye(3)},
    "SNN": {"fps": BITS},
    "Frag": {"frag": Counter({"C": 2})},
    "Scaf": {"scaf": Counter({"c1ccccc1": 1})},
    **{name: {"values": [0.5, 1.5, 2.5, 3.5, 4.5]} for name in ("logP", "SA", "QED", "weight")},
}


def write(path: Path, statistics: Any, raw: bytes | None = None) -> Path:
    """Writes statistics as MOSES did: a pickle by the module names of NumPy 1 in an object array in an .npz file."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    body = pickle.dumps(statistics, protocol=2) if raw is None else raw
    body = body.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stats.npy", header.getvalue() + body)
    return path


def test_statistics_come_out(tmp_path: Path) -> None:
    read = read_moses_statistics(write(tmp_path / "stats.npz", STATISTICS))
    assert read["n"] == 5
    assert np.array_equal(np.unpackbits(read["fingerprints"].view(np.uint8), axis=1, bitorder="little"), BITS)
    assert read["fragments"] == {"C": 2}
    assert read["scaffolds"] == {"c1ccccc1": 1}
    assert read["properties"].shape == (5, 4)
    assert read["chemnet"].mean.tolist() == [0.0, 1.0, 2.0]


class _Touches:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_runs_something_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(InputError, match="not the statistics of MOSES"):
        read_moses_statistics(write(tmp_path / "stats.npz", {"FCD": _Touches(trace)}))
    assert not trace.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nndarray\n((K\x05ttR.",  # the class of arrays may be named, not called
        b"cnumpy\ndtype\n(S'V100'\ntR.",
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"\x80\x02}q\x00.",  # an empty dictionary
        b"",
        b"\x80\x02",
    ],
)
def test_anything_else_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(InputError, match="not the statistics of MOSES"):
        read_moses_statistics(write(tmp_path / "stats.npz", None, raw))


@pytest.mark.parametrize("content", [b"", b"no zip file"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stats.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"stats\.npz: not the statistics of MOSES"):
        read_moses_statistics(tmp_path / "stats.npz")


def test_fingerprints_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fingerprints are uint8"):
        read_moses_statistics(write(tmp_path / "stats.npz", STATISTICS | {"SNN": {"fps": BITS[:, :7].copy()}}))
