"""A server in a process of its own, as a user starts it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

STARTING_S = 600


class Server:
    """A running server.

    Args:
        kind: Of the model.
        model: Its folder; None takes the champion.
        folder: For temporary files.
        *options: Of the command.
        project: Where the command is typed; None takes ``folder``.

    Attributes:
        url: Where it listens.
        log: What it wrote.
    """

    def __init__(self, kind: str, model: Path | None, folder: Path, *options: str, project: Path | None = None) -> None:
        command = [sys.executable, "-m", "medpipe", "serve", kind, "--port", "0", *options]
        command += [] if model is None else ["--model", str(model)]
        environment = {**os.environ, "COLUMNS": "300", "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
        self.folder = folder
        self.process = subprocess.Popen(
            command, cwd=project or folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.url = ""
        self._lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            if found := re.search(r"Serving .* at (http://\S+)", line):
                self.url = found[1]
                self._listening.set()
        self._listening.set()

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def wait(self) -> "Server":
        """Until it takes requests."""
        assert self._listening.wait(STARTING_S), self.log
        assert self.url, self.log
        return self

    def post(self, path: str, **request: object) -> requests.Response:
        return requests.post(f"{self.url}{path}", timeout=120, **request)

    def get(self, path: str, **request: object) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=30, **request)

    def terminate(self) -> int:
        """Sends SIGTERM and waits; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self._reader.join(10)
        return status


@contextmanager
def started(*servers: Server) -> Iterator[None]:
    """Ends them, whatever happens."""
    try:
        yield
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.terminate()


def worker_of(server: Server) -> psutil.Process:
    """The process that holds the model."""
    below = psutil.Process(server.process.pid).children()
    return next(process for process in below if "spawn_main" in " ".join(process.cmdline()))
