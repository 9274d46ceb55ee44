import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from medpipe.ct.params import CTSourceParams
from medpipe.ct.phantom.params import PhantomParams
from medpipe.ct.sources import provide
from tests.serving.server.http_server import Server, started

LIMITS = {
    "generator": (
        "--queue",
        "250",
        "--timeout",
        "6",
        "--max-molecules",
        "1000000",
        "--max-body-mb",
        "1",
        "--allow-host",
        "models.example",
    ),
    "properties": ("--queue", "1", "--max-wait", "1", "--max-rows", "3000", "--max-memory-gb", "4"),
    "nodules": ("--queue", "250", "--max-body-mb", "80", "--max-files", "400"),
}


@pytest.fixture(scope="session")
def dicom_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a generated scan as DICOM files, with the name of a patient in them."""
    folder = tmp_path_factory.mktemp("phantom")
    phantom = PhantomParams(
        n_patients=1,
        second_scan_fraction=0.0,
        dicom_fraction=1.0,
        healthy_fraction=0.0,
        matrix=(112, 112),
        pixel_spacing_mm=(2.5, 2.5),
        slice_spacing_mm=(3.0, 3.0),
    )
    provide(CTSourceParams(phantom=phantom, n_jobs=1), folder)
    return folder


def zipped(folder: Path, n: int | None = None) -> bytes:
    """The DICOM files of a folder, or the lowest slices of them, in an archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        files = sorted(folder.rglob("*.dcm"))
        if n is not None:
            files = sorted(files, key=lambda file: dcmread(file).ImagePositionPatient[2])[:n]
        for file in files:
            archive.write(file, file.relative_to(folder))
    return stream.getvalue()


@pytest.fixture(scope="session")
def scan_zip(dicom_scan: Path) -> bytes:
    return zipped(dicom_scan)


@pytest.fixture(scope="session")
def servers(
    saved_models: dict[str, Path], dicom_scan: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Server]]:
    """One server of each kind; they start side by side."""
    options = {**LIMITS, "nodules": (*LIMITS["nodules"], "--scans", str(dicom_scan))}
    running = {
        kind: Server(kind, model, tmp_path_factory.mktemp(kind), *options[kind]) for kind, model in saved_models.items()
    }
    with started(*running.values()):
        for server in running.values():
            server.wait()
        yield running
