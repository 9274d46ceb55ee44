"""Workers that are ended before they have loaded their model."""

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from medpipe.serving.server.params import ServeParams
from medpipe.serving.server.pool import Pool
from medpipe.serving.server.worker import WorkerSpec


async def _open_and_close(spec: WorkerSpec) -> float:
    pool = Pool(spec)
    opening = asyncio.create_task(pool.open())
    while not _workers():
        await asyncio.sleep(0.01)
    opening.cancel()
    start = time.monotonic()
    await pool.close()
    return time.monotonic() - start


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_who_stops_does_not_wait_for_a_model_to_be_loaded(
    saved_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = WorkerSpec("nodules", saved_models["nodules"], "nodules", None, ServeParams())
    assert asyncio.run(_open_and_close(spec)) < 2
    assert _workers() == []
    assert list(tmp_path.iterdir()) == []
