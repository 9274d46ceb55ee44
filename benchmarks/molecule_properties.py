"""Property prediction on public tables: networks, trees and both, mean and spread over seeds.

``python benchmarks/molecule_properties.py FOLDER`` with the tables of MoleculeNet (Wu et al., Chemical Science 2018) as
chemprop ships them: ``esol.csv``, ``freesolv.csv``, ``lipo.csv``, ``bbbp.csv``, ``bace.csv``, ``tox21.csv``. Each seed
is a split of its own (80 % train, 10 % val, 10 % test) and a training of its own; all is chosen on val. Splits by
scaffold are balanced as chemprop's. With ``--work`` a stopped run goes on: finished trainings are read from there.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import measure
import numpy as np

from medpipe.core.atomic import write_json


class Dataset(NamedTuple):
    """A table, how it is split, what is measured, what must be reached, and the most optimizer steps of a network."""

    split: str
    measure: str
    aim: float
    steps: int = 800
    smiles_column: str = "smiles"


DATASETS = {
    "freesolv": Dataset("random", "rmse", 1.2),
    "esol": Dataset("random", "rmse", 0.60),
    "lipo": Dataset("random", "rmse", 0.60, 1500),
    "bbbp": Dataset("scaffold", "auroc", 0.72),
    "bace": Dataset("scaffold", "auroc", 0.84, smiles_column="mol"),
    "tox21": Dataset("random", "auroc", 0.80, 200),
}
MODELS = {"both": "", "networks": "networks/", "trees": "trees/"}


def train_and_test(folder: Path, name: str, seed: int, members: int, work: Path) -> dict[str, Any]:
    """Metrics of one split and training, with its CPU and wall seconds."""
    from medpipe.molecules.properties.evaluate import evaluate_properties
    from medpipe.molecules.properties.ingest import ingest_properties
    from medpipe.molecules.properties.params import (
        EvaluatePropertiesParams,
        IngestPropertiesParams,
        TrainPropertiesParams,
    )
    from medpipe.molecules.properties.train import train_properties

    dataset = DATASETS[name]
    start = (time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    intake = IngestPropertiesParams(smiles_column=dataset.smiles_column, split=dataset.split, seed=seed, n_jobs=1)
    table, rejected = ingest_properties(folder / f"{name}.csv", intake)
    params = TrainPropertiesParams(n_members=members, max_steps=dataset.steps, seed=seed, accelerator="cpu", n_jobs=1)
    checkpoint, _ = train_properties(table, params, work)
    metrics, _ = evaluate_properties(checkpoint, table, EvaluatePropertiesParams(n_bootstraps=0))
    return {
        "members": members,
        "steps": dataset.steps,
        "metrics": metrics,
        "network_weight": checkpoint.params["network_weight"],
        "molecules": table["split"].value_counts().to_dict(),
        "rejected": rejected["code"].value_counts().to_dict(),
        "cpu_s": resource.getrusage(resource.RUSAGE_SELF).ru_utime - start[1],
        "wall_s": time.perf_counter() - start[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the tables lie")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--members", type=int, default=1, help="networks a model")
    parser.add_argument("--work", type=Path, help="where trainings are kept: a stopped run goes on from there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report(run(arguments, arguments.work or Path(temporary)))


def run(arguments: argparse.Namespace, work: Path) -> dict[str, list[dict[str, Any]]]:
    """Results of each dataset, one a seed; those that are in ``work`` are read."""
    import torch

    torch.set_num_threads(1)
    found: dict[str, list[dict[str, Any]]] = {}
    for name in arguments.datasets:
        for seed in arguments.seeds:
            place = work / f"{name}_{seed}_{arguments.members}_{DATASETS[name].steps}"
            file = place.with_suffix(".json")
            if not file.exists():
                result = train_and_test(arguments.folder, name, seed, arguments.members, place)
                write_json(file, result)
            found.setdefault(name, []).append({"seed": seed, **json.loads(file.read_text())})
    return found


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """Prints the table and writes the file."""
    rows, summary = [], {}
    for name, results in found.items():
        dataset = DATASETS[name]
        values = {
            model: np.array([one["metrics"][f"{prefix}mean/{dataset.measure}"] for one in results])
            for model, prefix in MODELS.items()
        }
        spread = {model: (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0) for model, v in values.items()}
        met = (
            values["both"].mean() <= dataset.aim if dataset.measure == "rmse" else values["both"].mean() >= dataset.aim
        )
        cpu_s = float(np.mean([one["cpu_s"] for one in results]))
        cells = [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in spread.values()]
        aim = f"{'<=' if dataset.measure == 'rmse' else '>='} {dataset.aim:.2f}"
        rows.append([name, dataset.split, dataset.measure, len(results), *cells, aim, "yes" if met else "no", cpu_s])
        summary[name] = {**dataset._asdict(), "mean_and_deviation": spread, "runs": results}
    columns = ["dataset", "split", "measure", "seeds", *MODELS, "aim", "met", "CPU s a seed"]
    measure.print_table("Test, mean ± deviation over seeds", columns, rows)
    print(measure.save("molecule_properties", summary))


if __name__ == "__main__":
    main()
