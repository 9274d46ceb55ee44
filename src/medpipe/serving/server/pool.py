"""Workers and the queue before them: how many requests are inside, who waits, who is ended."""

import asyncio
import logging
import math
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.serving.server.refusal import Refusal
from medpipe.serving.server.services import failed_at
from medpipe.serving.server.worker import Answer, Job, Worker, WorkerGoneError, WorkerSpec

MAX_RETRY_AFTER_S = 600
_RESTART_PAUSES_S = (0.0, 5.0, 30.0, 120.0)
"""Before a worker that ended is started again, and again; the last one is repeated."""
_MEMORY = 0.8
"""Weight of the past in the mean time of a request."""

_logger = logging.getLogger(__name__)


class Place:
    """A place among the requests inside, with a folder of its own that is gone afterwards.

    Attributes:
        folder: For uploads and temporary files.
    """

    def __init__(self, pool: "Pool", folder: Path) -> None:
        self._pool = pool
        self.folder = folder

    async def work(self, task: str, gone: Callable[[], Awaitable[bool]], **arguments: Any) -> Answer:
        """Waits for a worker and has the task done.

        Args:
            task: Method of the service.
            gone: Whether nobody waits for the answer any more.
            **arguments: Of the method.

        Raises:
            Refusal: 503 after too long a wait or if the worker ended, 504 if the work takes too long.
        """
        return await self._pool.work(Job(task, self.folder, arguments), gone)


class Pool:
    """Workers with one model, and a bounded queue.

    Args:
        spec: What the workers load, and the limits.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec
        self._params = spec.params
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._alive: set[Worker] = set()
        self._starting: set[Worker] = set()
        self._inside = 0
        self._working = 0
        self._mean_s = 1.0
        self._closing = False
        self._restarts: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(2 * self._params.workers, "medpipe-pool")
        self._folder = Path(tempfile.mkdtemp(prefix="medpipe-serve-"))  # readable by its owner alone

    @property
    def spec(self) -> WorkerSpec:
        """What is served, and what a worker that ends is replaced by."""
        return self._spec

    @property
    def state(self) -> dict[str, Any]:
        """What ``/health`` tells."""
        return {
            "model": self._spec.told,
            "workers": len(self._alive),
            "device": next((worker.device for worker in self._alive), None),
            "running": self._working,
            "waiting": self._inside - self._working,
        }

    async def open(self) -> None:
        """Starts the workers.

        Raises:
            InputError: If the model cannot be loaded.
        """
        starts = [self._blocking(self._start, self._spec) for _ in range(self._params.workers)]
        started = await asyncio.gather(*starts, return_exceptions=True)
        for worker in started:
            if isinstance(worker, Worker):
                self._ready(worker)
        for error in started:
            if isinstance(error, BaseException):
                raise error

    async def close(self) -> None:
        """Ends the workers, which are idle by now or still being started, and removes what is left on disk."""
        self._closing = True
        for restart in self._restarts:
            restart.cancel()
        for worker in list(self._starting):
            worker.abandon()
        await asyncio.gather(*(self._blocking(worker.stop) for worker in self._alive))
        self._alive.clear()
        self._threads.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def renew(self, spec: WorkerSpec) -> None:
        """Goes over to another model, worker by worker: each new one is ready before an old one ends.

        Raises:
            InputError: If the new model cannot be loaded; the old one goes on.
        """
        for _ in range(self._params.workers):
            worker = await self._blocking(self._start, spec)
            self._spec = spec
            old = await self._idle.get()
            self._alive.discard(old)
            self._ready(worker)
            await self._blocking(old.stop)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place for one request.

        Raises:
            Refusal: 429 if as many as may be are inside.
        """
        if self._inside >= self._params.workers + self._params.queue:
            raise Refusal(
                429, "queue_full", f"{self._inside} requests are worked on or wait, and no more may wait.",
                retry_after_s=self._retry_after_s(),
            )  # fmt: skip
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        self._inside += 1
        try:
            yield Place(self, folder)
        finally:
            self._inside -= 1
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def work(self, job: Job, gone: Callable[[], Awaitable[bool]]) -> Answer:
        """See `Place.work`."""
        try:
            async with asyncio.timeout(self._params.max_wait_s):
                worker = await self._idle.get()
        except TimeoutError as error:
            raise Refusal(
                503, "waited_too_long", f"No worker was free within {self._params.max_wait_s:g} s.",
                retry_after_s=self._retry_after_s(),
            ) from error  # fmt: skip
        try:
            if await gone():
                raise Refusal(499, "client_gone", "Nobody waits for the answer any more.")
        except BaseException:
            self._idle.put_nowait(worker)
            raise
        return await asyncio.shield(self._ask(worker, job))

    async def _ask(self, worker: Worker, job: Job) -> Answer:
        start = time.monotonic()
        self._working += 1
        try:
            answer = await self._blocking(worker.ask, job, self._params.timeout_s)
        except TimeoutError as error:
            self._lose(worker, "it took too long")
            raise Refusal(
                504, "took_too_long", f"The work was ended after {self._params.timeout_s:g} s; send less at a time.",
            ) from error  # fmt: skip
        except WorkerGoneError as error:
            self._lose(worker, "it ended by itself")
            raise Refusal(
                503, "worker_ended", "The process that worked on this request ended: too little memory, or a damaged "
                "file that a decoder does not survive. Do not send it again unchanged.",
            ) from error  # fmt: skip
        except Exception:
            self._lose(worker, "its answer could not be read")
            raise
        finally:
            self._working -= 1
            self._mean_s = _MEMORY * self._mean_s + (1 - _MEMORY) * (time.monotonic() - start)
        self._idle.put_nowait(worker)
        return answer

    def _retry_after_s(self) -> int:
        seconds = self._mean_s * self._inside / self._params.workers
        return max(1, min(MAX_RETRY_AFTER_S, math.ceil(seconds)))

    def _ready(self, worker: Worker) -> None:
        self._alive.add(worker)
        self._idle.put_nowait(worker)

    def _lose(self, worker: Worker, why: str) -> None:
        """Ends a worker and has another one started beside what goes on."""
        _logger.warning("A worker was ended: %s", why)
        self._alive.discard(worker)
        restart = asyncio.create_task(self._replace(worker))
        self._restarts.add(restart)
        restart.add_done_callback(self._restarts.discard)

    async def _replace(self, worker: Worker) -> None:
        await self._blocking(worker.kill)
        attempt = 0
        while not self._closing:
            await asyncio.sleep(_RESTART_PAUSES_S[min(attempt, len(_RESTART_PAUSES_S) - 1)])
            attempt += 1
            try:
                self._ready(await self._blocking(self._start, self._spec))
            except Exception as error:  # such as no memory for another process: it is tried again
                if self._closing:
                    return
                reason = str(error) if isinstance(error, InputError) else failed_at(error)
                _logger.error("A worker could not be started again: %s", reason)
            else:
                _logger.info("A worker was started again")
                return

    def _start(self, spec: WorkerSpec) -> Worker:
        """Blocks, and goes on if its task is cancelled."""
        worker = Worker(spec)
        self._starting.add(worker)
        try:
            if self._closing:
                worker.abandon()
            return worker.start()
        finally:
            self._starting.discard(worker)

    async def _blocking(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
