"""Workers and places that must not be lost."""

import asyncio
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from medpipe.serving.server.params import ServeParams
from medpipe.serving.server.pool import Pool
from medpipe.serving.server.worker import WorkerSpec


async def _open_and_close(spec: WorkerSpec, before: set[psutil.Process]) -> float:
    pool = Pool(spec)
    opening = asyncio.create_task(pool.open())
    while not _workers() - before:
        await asyncio.sleep(0.01)
    opening.cancel()
    start = time.monotonic()
    await pool.close()
    return time.monotonic() - start


def _workers() -> set[psutil.Process]:
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # or one that has ended and waits to be fetched
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child)
    return found


def test_who_stops_does_not_wait_for_a_model_to_be_loaded(
    saved_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(saved_models["generator"], tmp_path / "model")
    (checkpoint,) = model.rglob("*.safetensors")
    checkpoint.unlink()
    os.mkfifo(checkpoint)  # whoever loads it waits for ever
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    before = _workers()  # servers of other tests
    spec = WorkerSpec("generator", model, "generator", None, ServeParams())
    assert asyncio.run(_open_and_close(spec, before)) < 60
    assert _workers() <= before
    assert list((tmp_path / "tmp").iterdir()) == []


async def _use_without_room(pool: Pool) -> None:
    shutil.rmtree(pool._folder)
    for _ in range(3):
        with pytest.raises(OSError, match="No such file"):
            async with pool.place():
                raise AssertionError
    assert pool.state["waiting"] == 0


def test_a_disk_that_cannot_be_written_takes_no_place_for_ever(saved_models: dict[str, Path]) -> None:
    pool = Pool(WorkerSpec("generator", saved_models["generator"], "generator", None, ServeParams(queue=0)))
    asyncio.run(_use_without_room(pool))


async def _be_asked_by_who_cannot_be_asked(pool: Pool) -> None:
    async def gone() -> bool:
        raise ConnectionError

    await pool.open()
    for _ in range(2):
        async with pool.place() as place:
            with pytest.raises(ConnectionError):
                await place.work("molecules", gone)
    await pool.close()


def test_a_worker_is_not_lost_with_a_caller(saved_models: dict[str, Path]) -> None:
    limits = ServeParams(max_wait_s=5)
    asyncio.run(
        _be_asked_by_who_cannot_be_asked(
            Pool(WorkerSpec("generator", saved_models["generator"], "generator", None, limits))
        )
    )
