"""Fan-out of one function over many items: joblib, loky on one machine, another backend by configuration."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from medpipe.core.progress import track

T = TypeVar("T")
R = TypeVar("R")


def parallel(
    func: Callable[[T], R],
    items: Iterable[T],
    *,
    description: str,
    n_jobs: int = -1,
    total: int | None = None,
) -> Iterator[R]:
    """Yields ``func(item)`` for every item, in the order of the items, with progress.

    Results are passed on as they come, so memory does not grow with the number of items.

    Args:
        func: Picklable function of one item.
        items: The items; consumed lazily.
        description: What the user reads beside the progress bar.
        n_jobs: Worker processes; -1 is one a core, 1 runs in this process. A backend chosen by
            ``joblib.parallel_config`` (a Ray cluster, for instance) is respected.
        total: Number of items, where ``items`` has no length.
    """
    from joblib import Parallel, delayed

    items = items if total is not None else list(items)
    count = total if total is not None else len(items)  # type: ignore[arg-type]
    if n_jobs == 1 or count <= 1:
        yield from track(map(func, items), description, total=count)
        return
    results: Any = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="2*n_jobs")(
        delayed(func)(item) for item in items
    )
    yield from track(results, description, total=count)
