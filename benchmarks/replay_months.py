"""Thirty months of a schedule in minutes: molecules arrive, become heavier, and the job skips, refuses or promotes.

    python benchmarks/replay_months.py --months 30 --work /data/replay

Measured solubilities (those of the default of `properties`) arrive in a table month by month. At the end of each month
the job is run by the real command, ``medpipe schedule once``, in a project of its own: it looks whether there is enough
new or drifted data, trains, and lets the gate compare the new model with the champion on the test molecules of that
month.

The months are not alike:

- at first mostly light molecules arrive, from month 9 on heavier and heavier ones;
- in some months nothing arrives, in others few;
- in months 12 and 13 somebody has left a mistake in the configuration: three optimizer steps, no trees.

A killed replay goes on with the next month. Results and picture go to `benchmarks/results`.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from measure import RESULTS, print_table, save
from rdkit import Chem, RDLogger
from rdkit.Chem.Descriptors import MolWt

from medpipe.molecules.properties.params import PropertySourceParams
from medpipe.molecules.properties.sources import provide_properties
from medpipe.schedule.state import State

PROJECT = Path(__file__).parents[1]
ENV, JOB = "replay", "properties_monthly"
FIRST_MONTH = 250
"""Molecules there are when the schedule begins."""
NOTHING, FEW = (4, 10, 16, 22, 27), (6, 18, 25)
A_FEW = 8
MISTAKE = (12, 13)
MIN_NEW, DRIFT = 40, 0.25
TEST_FRACTION = 0.25
"""With a tenth, as by default, one or two odd molecules decide whether a gain is certain."""
COLOURS = {"promote": "#1a9850", "keep": "#d73027", "undecided": "#fdae61", "skipped": "#bdbdbd", "failed": "#000000"}
WORDS = {"promote": "promoted", "keep": "refused", "undecided": "undecided", "skipped": "skipped", "failed": "failed"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--months", type=int, default=30)
    parser.add_argument("--work", type=Path, required=True, help="folder of the project that is made; outlives a kill")
    parser.add_argument("--seed", type=int, default=0, help="of the order in which molecules arrive")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    project = options.work / "project"
    if not project.exists():
        _make_project(project)
    arrivals = _arrivals(options.work, options.months, options.seed)
    journal = options.work / "months.json"
    months: list[dict[str, Any]] = json.loads(journal.read_text()) if journal.exists() else []
    for month in range(len(months) + 1, options.months + 1):
        months.append(_month(project, month, arrivals))
        journal.write_text(json.dumps(months, indent=2))
        _show(months[-1:])
    _show(months)
    file = save("replay_months", {"seed": options.seed, "min_new": MIN_NEW, "drift": DRIFT, "months": months})
    picture = RESULTS / f"{file.stem}.png"
    _picture(months).savefig(picture, dpi=150)
    print(f"\n{file}\n{picture}")


def _make_project(folder: Path) -> None:
    """The project's configuration with an environment of its own; the code is the installed one."""
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder)
    (folder / "src").mkdir()
    conf = folder / "conf" / ENV
    conf.mkdir()
    _write(conf / "globals.yml", {"data": f"data/{ENV}"})


def _configure(project: Path, month: int, table: Path) -> None:
    """The job, and how much is trained: little, so that a month takes half a minute."""
    base = yaml.safe_load((PROJECT / "conf" / "base" / "parameters_properties.yml").read_text(encoding="utf-8"))
    training = base["train_properties"] | {"network": {"hidden_size": 64, "depth": 3}, "n_members": 2, "max_steps": 200}
    training |= {"n_jobs": 1}
    if month in MISTAKE:
        training |= {"max_steps": 3, "boosting": {"max_trees": 1}}
    intake = base["ingest_properties"] | {"test_fraction": TEST_FRACTION}
    parameters = {"ingest_properties": intake, "train_properties": training}
    _write(project / "conf" / ENV / "parameters_properties.yml", parameters)
    job = {
        "cron": "0 3 1 * *",
        "pipelines": ["properties", "properties_promotion"],
        "parameters": {"property_source.path": str(table)},
        "min_new": MIN_NEW,
        "drift_threshold": DRIFT,
        "retries": {"times": 0},
    }
    _write(project / "conf" / ENV / "schedules.yml", {JOB: job})


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _arrivals(work: Path, months: int, seed: int) -> pd.DataFrame:
    """Columns month, smiles, logs: each molecule once."""
    source = provide_properties(PropertySourceParams(), work / "source")
    read = [molecule for molecule in Chem.SDMolSupplier(str(source)) if molecule is not None]
    pool = pd.DataFrame({"smiles": map(Chem.MolToSmiles, read), "logs": [float(m.GetProp("SOL")) for m in read]})
    pool["rank"] = pd.Series(map(MolWt, read)).rank(pct=True)
    rng = np.random.default_rng(seed)
    usual = [m for m in range(2, months + 1) if m not in (*NOTHING, *FEW)]
    each = (len(pool) - FIRST_MONTH - A_FEW * len(FEW)) // max(1, len(usual))
    pool["month"] = 0
    for month in range(1, months + 1):
        n = FIRST_MONTH if month == 1 else 0 if month in NOTHING else A_FEW if month in FEW else each
        left = pool.index[pool.month == 0]
        centre = np.interp(month, [1, 8, 22], [0.3, 0.35, 0.95])
        weight = np.exp(-(((pool["rank"][left] - centre) / 0.25) ** 2))
        drawn = rng.choice(left, min(n, len(left)), replace=False, p=weight / weight.sum()) if n else []
        pool.loc[drawn, "month"] = month
    return pool[pool.month > 0].sort_values("month", kind="stable")


def _month(project: Path, month: int, arrivals: pd.DataFrame) -> dict[str, Any]:
    """Lets the molecules of a month arrive, runs the job, and tells what it did."""
    table = project / "solubility.csv"
    there = arrivals[arrivals.month <= month]
    there[["smiles", "logs"]].to_csv(table, index=False)
    _configure(project, month, table)
    command = [sys.executable, "-m", "medpipe", "schedule", "once", JOB, f"--env={ENV}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    runs = State(project).runs(job=JOB, limit=1)
    if not runs:
        raise SystemExit(f"month {month}: the job did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found: dict[str, Any] = {"month": month, "arrived": int((arrivals.month == month).sum()), "molecules": len(there)}
    found |= {"outcome": "skipped" if runs[0].outcome == "skipped" else "failed", "reason": runs[0].reason}
    psi = re.search(r"PSI (\d+\.\d+)", runs[0].reason)
    found["psi"] = float(psi.group(1)) if psi else None
    if runs[0].outcome == "finished":
        report = project / "data" / ENV / "08_reporting" / "properties_decision.json"
        decision = json.loads(report.read_text(encoding="utf-8"))
        found |= {key: decision[key] for key in ("outcome", "champion", "challenger")} | {"verdict": decision["reason"]}
        headline = next((one for one in decision["metrics"] if one["role"] == "headline"), None)
        if headline is not None:
            found |= {f"rmse_{who}": headline[who] for who in ("champion", "challenger")}
    return found


def _show(months: list[dict[str, Any]]) -> None:
    columns = ("month", "arrived", "PSI", "outcome", "champion's RMSE", "challenger's RMSE", "why")
    rows = [
        [one["month"], one["arrived"], one["psi"] if one["psi"] is not None else "", WORDS[one["outcome"]]]
        + [one.get(f"rmse_{who}", "") for who in ("champion", "challenger")]
        + [one.get("verdict", one["reason"])]
        for one in months
    ]
    print_table("A schedule, month by month", columns, rows)


def _picture(months: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(10, 6), layout="constrained")
    arrived, drift, error = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 3])
    number = [one["month"] for one in months]
    colours = [COLOURS[one["outcome"]] for one in months]
    arrived.bar(number, [max(1.5, one["arrived"]) for one in months], color=colours)
    arrived.set(ylabel="molecules\narrived", ylim=(0, 3 * float(np.median([one["arrived"] for one in months]))))
    arrived.annotate(
        f"{months[0]['arrived']}", (1, arrived.get_ylim()[1]), ha="center", va="top", color="white", size=7
    )
    known = [one for one in months if one["psi"] is not None]
    drift.plot([one["month"] for one in known], [one["psi"] for one in known], "o", color="#4575b4")
    drift.axhline(DRIFT, ls="--", lw=1, color="grey")
    drift.set(ylabel="drift of what is new\n(largest PSI)", ylim=(0, None))
    for who, marker in (("champion", "_"), ("challenger", "o")):
        scored = [one for one in months if one.get(f"rmse_{who}") is not None]
        error.scatter(
            [one["month"] for one in scored],
            [one[f"rmse_{who}"] for one in scored],
            marker=marker,
            s=70 if who == "champion" else 35,
            color=[COLOURS[one["outcome"]] if who == "challenger" else "black" for one in scored],
        )
    error.set(ylabel="RMSE on that month's\ntest molecules (log mol/L)", xlabel="month")
    error.set_xticks(number)
    error.legend(handles=_legend(), ncols=6, loc="upper center", fontsize=8)
    error.margins(y=0.25)
    for month in (one for one in MISTAKE if one <= len(months)):
        error.axvspan(month - 0.5, month + 0.5, color="#fee0d2", zorder=0)
    return figure


def _legend() -> list[Line2D]:
    kinds = [
        Line2D([], [], marker="o", ls="", color=COLOURS[key], label=WORDS[key]) for key in COLOURS if key != "failed"
    ]
    champion = Line2D([], [], marker="_", ls="", color="black", label="champion")
    return [*kinds, champion, Line2D([], [], lw=8, color="#fee0d2", label="mistake in the configuration")]


if __name__ == "__main__":
    main()
