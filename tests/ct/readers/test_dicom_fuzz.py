"""Damaged DICOM: intake and reading end with a scan, a rejection or a read error, whatever was done to the bytes."""

import signal
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medpipe.ct.readers import ScanReadError, dicom
from tests.ct.readers.dicom_samples import damaged, discover, odd_values, sources

pytestmark = pytest.mark.filterwarnings("ignore:.*for VR UI")  # the uids of some real files

INPUTS_A_KIND = 180
MAX_SECONDS = 10


class Hang(BaseException):
    """Not an Exception, so that no reader takes it for a damaged file."""


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def files(shared_data: Path) -> dict[str, bytes]:
    return sources(shared_data / "awkward_dicom")


def outcome(folder: Path) -> str:
    """How intake of a folder ends, and the reading of what it accepts."""
    scans = discover(folder)
    for scan in scans:
        if scan.rejection is not None:
            assert scan.geometry is None
            return scan.rejection.code
        try:
            volume = dicom.read_volume(folder, scan.path, scan.series_uid)
            assert volume.geometry == scan.geometry
            assert len(dicom.read_samples(folder, scan)) == 3
        except ScanReadError as error:
            return error.code
    return "read" if scans else "none"


def one_slice_above(data: bytes) -> bytes:
    header = pydicom.dcmread(BytesIO(data))
    if "ImagePositionPatient" in header:
        header.SOPInstanceUID += ".1"
        header.ImagePositionPatient[2] += 2.5
    stream = BytesIO()
    header.save_as(stream)
    return stream.getvalue()


KINDS = (
    "deflated", "enhanced", "enhanced_rle", "j2k", "j2k_lossless", "jpeg_lossless", "jpeg_ls", "plain", "rle", "tiny",
)  # fmt: skip


needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm to stop a hang with")


@needs_alarm
@pytest.mark.parametrize("kind", KINDS)
def test_damage_ends_in_a_reason(tmp_path: Path, files: dict[str, bytes], kind: str):
    """Half of the inputs lie alone, half beside a good file of the same series, one slice above."""
    rng = np.random.default_rng(KINDS.index(kind))
    good = tmp_path / "good"
    outcomes: Counter[str] = Counter()
    for number in range(INPUTS_A_KIND):
        bad = tmp_path / f"{number}.dcm"
        bad.write_bytes(damaged(files[kind], rng))
        if number == INPUTS_A_KIND // 2:
            good.write_bytes(one_slice_above(files[kind]))
        with time_limit():
            outcomes[outcome(tmp_path)] += 1
        bad.unlink()
    assert sum(outcomes.values()) == INPUTS_A_KIND
    assert len(outcomes) > 2, outcomes


@needs_alarm
@pytest.mark.parametrize("kind", ["plain", "enhanced", "jpeg_lossless"])
def test_odd_values_end_in_a_reason(tmp_path: Path, files: dict[str, bytes], kind: str):
    rng = np.random.default_rng(3)
    (tmp_path / "good").write_bytes(one_slice_above(files[kind]))
    outcomes: Counter[str] = Counter()
    for number in range(INPUTS_A_KIND):
        (tmp_path / f"{number}.dcm").write_bytes(odd_values(files[kind], rng))
        with time_limit():
            outcomes[outcome(tmp_path)] += 1
        (tmp_path / f"{number}.dcm").unlink()
    assert sum(outcomes.values()) == INPUTS_A_KIND
    assert len(outcomes) > 3, outcomes


@needs_alarm
def test_damaged_archives_end_in_a_reason(tmp_path: Path, files: dict[str, bytes]):
    rng = np.random.default_rng(7)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/first", files["plain"])
        archive.writestr("a/second", one_slice_above(files["plain"]))
    outcomes: Counter[str] = Counter()
    for number in range(INPUTS_A_KIND):
        (tmp_path / f"{number}.zip").write_bytes(damaged(packed.getvalue(), rng))
        with time_limit():
            outcomes[outcome(tmp_path)] += 1
        (tmp_path / f"{number}.zip").unlink()
    assert sum(outcomes.values()) == INPUTS_A_KIND
    assert len(outcomes) > 1, outcomes


def test_undamaged_files_are_read(tmp_path: Path, files: dict[str, bytes]):
    for kind, data in files.items():
        (tmp_path / "x").write_bytes(data)
        assert outcome(tmp_path) == ("read" if kind.startswith("enhanced") else "too_few_slices"), kind
        if "enhanced" not in kind:
            (tmp_path / "above").write_bytes(one_slice_above(data))
            assert outcome(tmp_path) == "read", kind
            (tmp_path / "above").unlink()
