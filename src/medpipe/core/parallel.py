"""Fan-out of one function over many items: joblib's processes on one machine, or tasks of a Ray cluster."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from medpipe.core.cluster import cancel, cluster_total, fetch, start_ray
from medpipe.core.progress import track
from medpipe.core.usage import add_cpu_of_others, cpu_of_this_process

T = TypeVar("T")
R = TypeVar("R")

Backend = Literal["loky", "ray"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Read by libraries when they are loaded."""

FAN_OUT_VARIABLE = "MEDPIPE_FAN_OUT"
"""Set to ``ray`` where nodes run on a Ray cluster: what would be processes of one host are tasks of all hosts then."""

RESULTS_AHEAD = 4
"""Results a worker that may wait for a slow one before them."""


def parallel(
    func: Callable[[T], R],
    items: Iterable[T],
    *,
    description: str | None,
    n_jobs: int = -1,
    total: int | None = None,
    backend: Backend = "loky",
) -> Iterator[R]:
    """Yields ``func(item)`` for every item, in the order of the items, with progress.

    Results are passed on as they come, so memory does not grow with the number of items. Libraries in the workers
    (BLAS, numba, torch) use one thread each: the workers together fill the cores.

    Args:
        func: Picklable function of one item.
        items: The items; consumed lazily.
        description: What the user reads beside the progress bar; None shows none, for parts of a step that has one.
        n_jobs: Workers; -1 is one a core (with "ray", of the cluster), 1 runs in this process.
        total: Number of items, where ``items`` has no length.
        backend: "loky" starts processes on this machine; "ray" uses the cluster that is connected, that of
            ``RAY_ADDRESS``, or a new one on this machine. Workers there read the same paths, so the data must lie
            on a file system that all of them share. In a node that runs on a cluster, "loky" is "ray", too.

    Raises:
        InputError: If Ray is chosen and not installed.
    """
    items = items if total is not None else list(items)
    count = total if total is not None else len(items)  # type: ignore[arg-type]
    backend = _chosen(backend)
    if backend == "ray":
        start_ray()
    if n_jobs == 1 or count <= 1:
        yield from _shown(map(func, items), description, count)
        return
    call = _SingleThreaded(func, os.getpid())
    results = _with_ray(call, items, n_jobs) if backend == "ray" else _with_joblib(call, items, n_jobs)
    yield from _shown(results, description, count)


def _shown(results: Iterator[R], description: str | None, total: int) -> Iterator[R]:
    return results if description is None else track(results, description, total=total)


def _chosen(backend: Backend) -> Backend:
    return "ray" if os.environ.get(FAN_OUT_VARIABLE) == "ray" else backend


def worker_count(n_jobs: int, backend: Backend = "loky") -> int:
    """How many workers ``n_jobs`` means: -1 is one a core, of this machine or of the Ray cluster.

    Raises:
        InputError: If Ray is chosen and not installed.
    """
    if n_jobs != -1:
        return n_jobs
    if _chosen(backend) == "ray":
        start_ray()
        return max(1, int(cluster_total("CPU")))
    from joblib import cpu_count

    return int(cpu_count())


def _with_joblib(call: Callable[[T], R], items: Iterable[T], n_jobs: int) -> Iterator[R]:
    from joblib import Parallel, delayed

    tasks = (delayed(call)(item) for item in items)
    yield from Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")(tasks)


def _with_ray(call: Callable[[T], R], items: Iterable[T], n_jobs: int) -> Iterator[R]:
    """Each item is a task; the caller, if it is a task itself, lends its CPU to them while it waits.

    Ray's backend for joblib would start a pool of actors, for which a cluster full of waiting nodes has no room.
    """
    import ray

    task = ray.remote(_apply)
    shared = ray.put(call)
    most = worker_count(n_jobs, "ray")
    waiting: deque[Any] = deque()
    running: list[Any] = []
    try:
        for item in items:
            if len(running) >= most:
                running = ray.wait(running, num_returns=1)[1]
            waiting.append(task.remote(shared, item))
            running.append(waiting[-1])
            while waiting and (waiting[0] not in running or len(waiting) >= RESULTS_AHEAD * most):
                yield _taken(waiting.popleft())
        while waiting:
            yield _taken(waiting.popleft())
    finally:
        cancel(waiting)


def _apply(call: Callable[[T], R], item: T) -> tuple[R, float]:
    """The result, and the processor seconds that it took."""
    before = cpu_of_this_process()
    return call(item), cpu_of_this_process() - before


def _taken(reference: Any) -> Any:
    result, cpu_s = fetch(reference)
    add_cpu_of_others(cpu_s)
    return result


@dataclass(frozen=True)
class _SingleThreaded(Generic[T, R]):
    """A function that keeps libraries to one thread where it runs in a worker process.

    Attributes:
        func: The function.
        parent: Process that must stay as it is.
    """

    func: Callable[[T], R]
    parent: int

    def __call__(self, item: T) -> R:
        if os.getpid() != self.parent:
            use_one_thread()
        return self.func(item)


def use_one_thread() -> None:
    """Keeps the numerical libraries of this process to one thread, those loaded and those to come."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    modules: dict[str, Any] = dict(sys.modules)
    if "torch" in modules and modules["torch"].get_num_threads() != 1:
        modules["torch"].set_num_threads(1)
    if "numba" in modules and modules["numba"].get_num_threads() != 1:
        modules["numba"].set_num_threads(1)
    if "numpy" in modules and os.getpid() != _LIMITED:
        _limit_loaded()


_LIMITED = 0


def _limit_loaded() -> None:
    """Thread pools that were loaded before the variables were set; once a process, it takes milliseconds."""
    global _LIMITED
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
    _LIMITED = os.getpid()
