"""What every benchmark needs: fresh processes, CPU seconds, peak memory, tables, and a file with the results."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_LOOK_EVERY_S = 0.5

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ),
    "1",
)
"""Environment of a process that is measured on one core."""


def in_fresh_process(script: Path, task: str, **arguments: Any) -> dict[str, Any]:
    """What ``script TASK ARGUMENTS-AS-JSON`` prints as its last line, a JSON object, run with one thread."""
    command = [sys.executable, str(script), task, json.dumps(arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task} failed:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def timed(work: Callable[[], object], repeats: int, *, warm_up: bool = True) -> dict[str, float]:
    """Medians of ``repeats`` runs, after one that is not counted (compilation, imports inside functions).

    Args:
        work: What is run.
        repeats: Counted runs.
        warm_up: Whether there is an uncounted one; not where it would take minutes and change nothing.

    Returns:
        ``cpu_s`` (user and system, children included), ``wall_s``, and the lowest and highest CPU seconds;
        ``peak_gb``: highest resident memory of the process during the counted runs; ``before_gb``: before the first.
    """
    before_gb = _status_gb("VmRSS")
    if warm_up:
        work()
    _reset_peak()
    cpu, wall = [], []
    for _ in range(repeats):
        start_cpu, start_wall = _cpu_s(), time.perf_counter()
        work()
        cpu.append(_cpu_s() - start_cpu)
        wall.append(time.perf_counter() - start_wall)
    return {
        "cpu_s": statistics.median(cpu),
        "cpu_s_lowest": min(cpu),
        "cpu_s_highest": max(cpu),
        "wall_s": statistics.median(wall),
        "peak_gb": _status_gb("VmHWM"),
        "before_gb": before_gb,
    }


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _status_gb(field: str) -> float:
    """A line of ``/proc/self/status`` (kB); the operating system's own peak where there is none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith(f"{field}:"))


def _reset_peak() -> None:
    """Lets VmHWM start anew (Linux, ``proc(5)``: 5 written to clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def watched(script: Path, task: str, **arguments: Any) -> dict[str, Any]:
    """``in_fresh_process`` for work that uses all cores: as many threads and processes as it takes.

    Returns:
        What it prints as its last line, and ``process_wall_s``, ``cpu_s`` and ``peak_gb`` of the process with all its
        descendants from start to end, looked at twice a second.
    """
    command = [sys.executable, str(script), task, json.dumps(arguments)]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        peak_gb, cpu_s = 0.0, dict[int, float]()
        while process.poll() is None:
            tree = _tree(process.pid)
            peak_gb = max(peak_gb, _pss_gb(tree))
            cpu_s |= {member: used for member in tree if (used := _used_cpu_s(member)) is not None}
            time.sleep(_LOOK_EVERY_S)
        wall_s = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{task} failed:\n{errors.read()[-4000:]}")
        told: dict[str, Any] = json.loads(output.read().strip().splitlines()[-1])
    return told | {"process_wall_s": wall_s, "cpu_s": sum(cpu_s.values()), "peak_gb": peak_gb}


def tree_pss_gb(root: int) -> tuple[float, int]:
    """Memory of a process and its descendants, shared pages split among them (PSS), and how many they are."""
    tree = _tree(root)
    return _pss_gb(tree), len(tree)


def _tree(root: int) -> set[int]:
    parent_of = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent_of[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    tree, grown = {root}, True
    while grown:
        grown = bool(new := {child for child, parent in parent_of.items() if parent in tree} - tree)
        tree |= new
    return tree


def _pss_gb(processes: Iterable[int]) -> float:
    total = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total * 1024 / 1e9


def _used_cpu_s(process: int) -> float | None:
    """User and system time so far (``proc(5)``, fields 14 and 15); None for a process that has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table with aligned columns; numbers to three significant digits or so."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(column), *(len(row[n]) for row in cells)) for n, column in enumerate(columns)]
    print(f"\n{title}")
    print("  ".join(column.ljust(width) for column, width in zip(columns, widths, strict=True)))
    for row in cells:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def device() -> dict[str, str]:
    """The machine's processor, cores and the versions that matter."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {"cpu": model, "cores": str(os.cpu_count()), "python": platform.python_version()}


def save(name: str, result: Mapping[str, Any]) -> Path:
    """Writes ``results/<name>_<device>.json``."""
    RESULTS.mkdir(exist_ok=True)
    machine = device()
    label = "".join(char if char.isalnum() else "_" for char in f"{machine['cpu']}_{machine['cores']}cores").lower()
    file = RESULTS / f"{name}_{label}.json"
    file.write_text(json.dumps({"device": machine, **result}, indent=2) + "\n", encoding="utf-8")
    return file
