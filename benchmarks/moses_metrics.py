"""All MOSES metrics of the same generated strings, by the published code of molsets 0.3.1 and by medpipe, in one run.

    python benchmarks/moses_metrics.py --data ../shared/data           # 30,000 strings; molsets takes ten minutes
    python benchmarks/moses_metrics.py --n 3000                        # the first 3,000

Each side runs in a fresh process with two workers, one after the other. The published code comes from its wheel, whose
SHA-256 is checked; what today's RDKit, pandas and NumPy lack is put back in memory, and the counts of its cosine are
made floating point numbers (they overflow otherwise). medpipe runs three times: with an empty cache, again with MOSES's
statistics in its own form, and with the intervals that it tells by default. Memory and CPU seconds are those of all
processes together; wall seconds of scoring leave out the start of Python and imports.
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import print_table, save, watched

from medpipe.core.wheels import fetch_wheel
from medpipe.molecules.intake.params import SmilesSourceParams
from medpipe.molecules.intake.sources import MOSES_WHEEL, provide

TASKS = Path(__file__).with_name("moses_metrics_tasks.py")
ROOT = Path(__file__).parents[1]
RUNS = {
    "medpipe, first time": ("medpipe", False),
    "medpipe": ("medpipe", False),
    "medpipe with intervals": ("medpipe", True),
    "molsets": ("molsets", False),
}
"""Name to task and whether intervals are told."""
TOLERANCE, FCD_TOLERANCE = 1e-6, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder with moses_golden")
    parser.add_argument("--moses", type=Path, default=ROOT / "data" / "01_raw" / "smiles", help="MOSES, fetched once")
    parser.add_argument("--n", type=int, default=30_000, help="strings")
    parser.add_argument("--n-jobs", type=int, default=2, help="workers of each side")
    parser.add_argument("--device", default="cpu", help="of ChemNet and of molsets' similarities")
    options = parser.parse_args()
    generated = options.data / "moses_golden" / "generated_30k.csv"
    if not generated.is_file():
        parser.error(f"{generated} is not there; name the folder that holds moses_golden with --data")
    moses = provide(SmilesSourceParams(), options.moses)
    wheel = fetch_wheel(MOSES_WHEEL, options.moses)
    common = {"generated": str(generated), "moses": str(moses), "wheel": str(wheel), "device": options.device}
    with tempfile.TemporaryDirectory() as cache:
        taken = {
            name: watched(TASKS, task, n=options.n, cache=cache, n_jobs=options.n_jobs, intervals=intervals, **common)
            for name, (task, intervals) in RUNS.items()
        }
    peer = taken["molsets"]
    rows = [
        [name, of["wall_s"], of["process_wall_s"], of["cpu_s"], of["peak_gb"], peer["wall_s"] / of["wall_s"]]
        for name, of in taken.items()
    ]
    columns = ["who", "scoring s", "process s", "CPU s", "peak GB", "times molsets"]
    print_table(f"{options.n:,} strings, {options.n_jobs} workers, {options.device}", columns, rows)
    differences = compare(taken["medpipe"]["metrics"], peer["metrics"])
    print_table("Every number", ["metric", "medpipe", "molsets", "difference"], differences)
    worst = {row[0]: row[3] for row in differences if row[3] > (FCD_TOLERANCE if "FCD" in row[0] else TOLERANCE)}
    print(f"\nnumbers that differ by more than {TOLERANCE:g} (FCD {FCD_TOLERANCE:g}): {worst or 'none'}")
    versions = {name: version(name) for name in ("rdkit", "numpy", "scipy", "torch", "numba", "fcd-torch")}
    result = {"n": options.n, "n_jobs": options.n_jobs, "on": options.device, "versions": versions, "runs": taken}
    label = "moses_metrics" if options.n == 30_000 else f"moses_metrics_{options.n}"
    print(f"written: {save(label if options.device == 'cpu' else f'{label}_gpu', result)}")


def compare(ours: dict[str, float], theirs: dict[str, float]) -> list[list[Any]]:
    return [[name, f"{ours[name]:.9f}", f"{value:.9f}", abs(ours[name] - value)] for name, value in theirs.items()]


if __name__ == "__main__":
    main()
