"""FROC and CPM of a real LUNA16 submission with 1,000 bootstraps, beside scikit-learn and MONAI, in one run.

    python benchmarks/froc.py --data ../shared/data

The submission has 55,677 marks on 888 scans with 1,186 nodules and 35,192 irrelevant findings. Each task runs in its
own fresh process, on one thread, after one run that is not counted. All start from the same tables in memory:

- medpipe: matching, curve, and the bootstrap over sets of scans.
- Plain: the same steps as one would write them down from the paper, scan by scan and finding by finding, with
  scikit-learn's ``roc_curve`` for every drawn set. Its matching and its seven sensitivities have to be ours.
- MONAI: ``compute_froc_curve_data`` on the matched marks. It has no matching by radius and no bootstrap, and its score
  reads CAMELYON's six rates, so its curve is read at LUNA16's seven here.
"""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

from froc_tasks import N_BOOTSTRAPS
from measure import in_fresh_process, print_table, save

TASKS = Path(__file__).with_name("froc_tasks.py")
DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"

ROWS = {
    "match": ("matching 55,677 marks", "medpipe"),
    "plain_match": ("matching 55,677 marks", "plain loops"),
    "curve": ("curve and CPM", "medpipe"),
    "plain_curve": ("curve and CPM", "scikit-learn roc_curve"),
    "monai_curve": ("curve and CPM", "MONAI compute_froc_curve_data"),
    "bootstraps": (f"{N_BOOTSTRAPS:,} bootstraps", "medpipe"),
    "plain_bootstraps": (f"{N_BOOTSTRAPS:,} bootstraps", "scikit-learn roc_curve"),
    "everything": ("all metrics with intervals", "medpipe evaluate"),
}
"""Task to what it does and who does it; the first of each kind is ours."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with luna16_csv and luna16_froc_golden")
    parser.add_argument(
        "--repeats", type=int, default=3, help="counted runs of the quick tasks, of which the median is told"
    )
    options = parser.parse_args()
    if not (options.data / "luna16_froc_golden").is_dir():
        parser.error(f"{options.data} has no folder luna16_froc_golden; name the folder that has with --data")
    taken: dict[str, dict[str, Any]] = {}
    for task in ROWS:
        taken[task] = in_fresh_process(TASKS, task, data=str(options.data), repeats=options.repeats)
    counts = [
        {key: taken[task][key] for key in ("tp", "fp", "ignored", "doubles")} for task in ("match", "plain_match")
    ]
    if counts[0] != counts[1]:
        raise SystemExit(f"the two matchings differ: {counts}")
    rows, ours = [], {}
    for task, (what, who) in ROWS.items():
        numbers = taken[task]
        ours.setdefault(what, numbers["cpu_s"])
        added_mb = (numbers["peak_gb"] - numbers["before_gb"]) * 1000
        rows.append([what, who, numbers["cpu_s"], numbers["wall_s"], added_mb, numbers["cpu_s"] / ours[what]])
    columns = ["what", "who", "CPU s", "wall s", "memory added MB", "times our CPU"]
    print_table("One thread", columns, rows)
    print_table(
        "CPM, and the interval of the drawn sets",
        ["who", "CPM", "low", "high"],
        [
            [task, *(taken[task].get(key, "") for key in ("cpm", "low", "high"))]
            for task in ROWS
            if "cpm" in taken[task]
        ],
    )
    versions = {name: version(name) for name in ("numpy", "scikit-learn", "monai")}
    print(f"\nwritten: {save('froc', {'versions': versions, 'repeats': options.repeats, 'tasks': taken})}")


if __name__ == "__main__":
    main()
