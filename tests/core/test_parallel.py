import builtins
import os
import sys
from typing import Any

import pytest

from medpipe.core.errors import InputError
from medpipe.core.parallel import THREAD_VARIABLES, parallel


def threads(_: int) -> tuple[int, dict[str, Any]]:
    """Process and threads that libraries would use in it."""
    import numba
    import numpy as np
    import threadpoolctl

    np.ones((4, 4)) @ np.ones((4, 4))
    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    return os.getpid(), {
        "numba": numba.get_num_threads(),
        "pools": max(pools, default=1),
        "variables": {os.environ.get(name) for name in THREAD_VARIABLES},
    }


def double(value: int) -> int:
    return 2 * value


def test_workers_use_one_thread_and_this_process_keeps_its_own():
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    found = list(parallel(threads, range(4), description="threads", n_jobs=2))
    assert os.getpid() not in {process for process, _ in found}
    assert all(libraries == {"numba": 1, "pools": 1, "variables": {"1"}} for _, libraries in found)
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before


def test_items_are_consumed_as_they_are_needed():
    taken = []

    def items():
        for index in range(1000):
            taken.append(index)
            yield index

    results = parallel(double, items(), description="lazy", n_jobs=1, total=1000)
    assert next(results) == 0
    assert len(taken) < 10


def test_a_missing_ray_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_ray(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(InputError, match=r"pip install 'medpipe\[ray\]'"):
        list(parallel(double, [1, 2], description="doubling", backend="ray"))


def test_ray_gives_the_same_results_in_the_same_order():
    ray = pytest.importorskip("ray", reason="the optional extra medpipe[ray] is not installed")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        assert list(parallel(double, range(20), description="doubling", n_jobs=2, backend="ray")) == [
            2 * value for value in range(20)
        ]
        found = list(parallel(threads, range(2), description="threads", n_jobs=2, backend="ray"))
        assert os.getpid() not in {process for process, _ in found}
        assert all(libraries["variables"] == {"1"} for _, libraries in found)
    finally:
        ray.shutdown()
