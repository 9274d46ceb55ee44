"""What a server takes from its callers, and how long."""

from pathlib import Path

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

from medpipe.core.params import Params

MB = 1_000_000


class ServeParams(Params):
    """Limits of a server.

    Attributes:
        workers: Processes that hold the model, each working on one request at a time.
        queue: Requests that may wait for a worker; one more is told to come back later (429).
        max_wait_s: Longest time that a request waits for a worker (503).
        timeout_s: Longest time that a request may take to arrive (408), and to be worked on (504, the worker is ended).
        max_body_mb: Largest request, megabytes (413).
        max_unpacked_mb: Largest archive when unpacked, megabytes.
        max_files: Most files of an archive.
        max_rows: Most rows or SMILES of a request.
        max_molecules: Most molecules drawn for a request.
        max_memory_gb: Most memory of a worker, gigabytes; None takes three quarters of the machine's, shared by all.
        scans: Folder below which callers may name scans by path; None takes no paths.
        names: By which the server may be called, beside those of `medpipe.serving.server.callers.Callers`.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    workers: PositiveInt = 1
    queue: NonNegativeInt = 32
    max_wait_s: PositiveFloat = 300.0
    timeout_s: PositiveFloat = 300.0
    max_body_mb: PositiveFloat = 1024.0
    max_unpacked_mb: PositiveFloat = 4096.0
    max_files: int = Field(10_000, ge=1, le=1_000_000)
    max_rows: PositiveInt = 10_000
    max_molecules: PositiveInt = 10_000
    max_memory_gb: PositiveFloat | None = None
    scans: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def longest_s(self) -> float:
        """Longest time from the first byte of a request to its answer: to arrive, to wait, to be worked on."""
        return self.max_wait_s + 2 * self.timeout_s
