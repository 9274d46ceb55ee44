"""The process that holds the model, seen from both sides.

It works on one request at a time, and is ended with all its children when one takes too long or the server is gone.
What libraries print or warn of goes nowhere: it may quote a DICOM header.
"""

import multiprocessing
import os
import resource
import signal
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from medpipe.core.errors import InputError
from medpipe.serving.server.params import ServeParams

MAX_LOADING_S = 600.0
STOPPING_S = 5.0
GB = 1_000_000_000


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker loads.

    Attributes:
        kind: ``nodules``, ``generator`` or ``properties``.
        folder: Of the MLflow model.
        name: Of the model in the registry, or the place it was taken from.
        version: In the registry; None for a model that was given by its place.
        params: Limits of the server.
    """

    kind: str
    folder: Path
    name: str
    version: str | None
    params: ServeParams

    @property
    def told(self) -> dict[str, str | None]:
        """The model as answers name it."""
        return {"kind": self.kind, "name": self.name, "version": self.version}


@dataclass(frozen=True)
class Job:
    """A request for a worker.

    Attributes:
        task: Name of a method of `medpipe.serving.server.services.Service`.
        folder: What was uploaded, and room for temporary files.
        arguments: Of the method.
    """

    task: str
    folder: Path
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a worker says.

    Attributes:
        status: HTTP status.
        body: JSON.
        failed_at: Where the code failed, if it did, without anything of the data: for the log.
    """

    status: int
    body: bytes
    failed_at: str | None = None


class WorkerGoneError(RuntimeError):
    """The worker ended in the middle of a request."""


class Worker:
    """A worker process, seen from the server. Methods block.

    Args:
        spec: What it loads.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.device = ""
        self._process: Any = None
        self._connection: Any = None
        self._abandoned = False

    def start(self) -> "Worker":
        """Starts the process and waits until it has loaded its model and tried it on its input example.

        Raises:
            InputError: If the model cannot be loaded; the message says why.
        """
        context = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self.spec), daemon=False, name="medpipe-worker")
        self._process.start()
        theirs.close()
        if self._abandoned:
            self._process.kill()
        try:
            loaded, text = self._receive(MAX_LOADING_S)
        except (TimeoutError, WorkerGoneError) as error:
            self.kill()
            raise InputError(f"{self.spec.name}: the model could not be loaded: {error}") from error
        if not loaded:
            self.kill()
            raise InputError(f"{self.spec.name}: the model could not be loaded: {text}")
        self.device = text
        return self

    def ask(self, job: Job, timeout_s: float) -> Answer:
        """Has a request worked on.

        Raises:
            TimeoutError: It takes longer than ``timeout_s``; the worker must then be ended.
            WorkerGoneError: The process ended.
        """
        try:
            self._connection.send(job)
        except OSError as error:
            raise WorkerGoneError("the worker is gone") from error
        answer: Answer = self._receive(timeout_s)
        return answer

    def _receive(self, timeout_s: float) -> Any:
        try:
            if not self._connection.poll(timeout_s):
                raise TimeoutError(f"no answer within {timeout_s:g} s")
            return self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise WorkerGoneError("the worker process ended") from error

    def abandon(self) -> None:
        """Has `start`, in another thread, end the process and raise."""
        self._abandoned = True
        if self._process is not None and self._process.pid is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends an idle worker, which has nothing to put in order."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.join(STOPPING_S)
        self.kill()

    def kill(self) -> None:
        """Ends the process and its children at once."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it has ended, or has no group of its own yet
            self._process.kill()
        self._process.join()
        self._connection.close()


def _work(connection: Connection, spec: WorkerSpec) -> None:
    """What the process does."""
    os.setsid()  # an interrupt at the terminal is for the server, which lets running requests end
    threading.Thread(target=_end_with_server, daemon=True).start()
    _be_silent()
    _bound_memory(spec.params)
    from medpipe.serving.server.services import failed_at, load_service

    try:
        service = load_service(spec)
    except Exception as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__} at {failed_at(error)}"
        connection.send((False, reason))
        return
    connection.send((True, service.device))
    with suppress(EOFError):
        while True:
            job = connection.recv()
            tempfile.tempdir = str(job.folder)  # removed by the server, even if this process is killed
            connection.send(service.answer(job))


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os.killpg(0, signal.SIGKILL)


def _bound_memory(params: ServeParams) -> None:
    """A few bytes of Parquet or of gzip can unpack to more than the machine has."""
    import psutil

    most = 0.75 * psutil.virtual_memory().total / params.workers
    if params.max_memory_gb is not None:
        most = params.max_memory_gb * GB
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    bound = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    with suppress(OSError):  # Linux: where memory is short all the same, this process is ended before any other
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _be_silent() -> None:
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
