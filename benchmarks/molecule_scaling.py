"""Validity and FCD of the molecule generator against the molecules it has seen in training.

    python benchmarks/molecule_scaling.py --steps 500 1000 2000 4000
    python benchmarks/molecule_scaling.py --steps 2000 8000 32000 --minutes 60

Each point is a training of its own with the parameters of ``conf``, its learning rate gone down to 0: what that budget
gives, not a look at the middle of a longer one. All are measured on molecules of the val split, never on the test
split. With ``--minutes`` the shortest training is timed, and a last one is added that fills the time.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure
from measure import RESULTS, print_table, save

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.molecules.generation.train import train_gan
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import Reference, reference_of
from medpipe.molecules.metrics.score import score

PROJECT = Path(__file__).parents[1]
PARAMETERS = PROJECT / "conf" / "base" / "parameters_molecules.yml"
METRICS = ("valid", "unique_at_10000", "novelty", "FCD_Val", "SNN_Val", "IntDiv")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=PROJECT / "data" / "05_model_input" / "token_store")
    parser.add_argument("--smiles", type=Path, default=PROJECT / "data" / "03_primary" / "smiles.parquet")
    parser.add_argument("--parameters", type=Path, default=PARAMETERS, help="YAML with train_gan and sample")
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[500, 1000, 2000, 4000], help="lengths of the trainings"
    )
    parser.add_argument("--minutes", type=float, help="adds a training that takes about so long")
    parser.add_argument("--samples", type=int, default=10_000, help="molecules drawn from each generator")
    options = parser.parse_args()
    conf = yaml.safe_load(options.parameters.read_text(encoding="utf-8"))
    smiles = pd.read_parquet(options.smiles)
    train = smiles.smiles[smiles.split == "train"].tolist()
    reference = reference_of(smiles.smiles[smiles.split == "val"].tolist())
    points: list[dict[str, Any]] = []
    lengths = sorted(options.steps)
    while lengths:
        steps = lengths.pop(0)
        points.append(_point(TokenStore(options.store), conf, steps, options.samples, train, reference))
        if options.minutes and len(points) == 1:
            lengths.append(round(steps * options.minutes * 60 / points[0]["train_s"]))
        _show(points)
    result = {"n_train": len(train), "n_val": reference.n, "temperature": conf["sample"]["temperature"]}
    file = save("molecule_scaling", {**result, "points": points})
    picture = RESULTS / f"{file.stem}.png"
    _picture(points).savefig(picture, dpi=150)
    print(f"\n{file}\n{picture}")


def _point(
    store: TokenStore, conf: dict[str, Any], steps: int, n: int, train: list[str], reference: Reference
) -> dict[str, Any]:
    values = conf["train_gan"] | {"trainer": conf["train_gan"]["trainer"] | {"max_steps": steps}}
    params = GanParams(**values)
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as work:
        trained = train_gan(store, params, Path(work) / "work")
    point: dict[str, Any] = {"steps": steps, "molecules_seen": steps * params.batch_size}
    point |= {"train_s": time.perf_counter() - wall, "train_cpu_s": time.process_time() - cpu}
    history = trained.history
    point["val_nll"] = float(history[history.name == "val_nll"].sort_values("step").value.iloc[-1])
    for name, checkpoint in (("gan", trained.generator), ("control", trained.control)):
        drawn = sample(checkpoint, SampleParams(**conf["sample"] | {"n": n}))
        metrics = score(
            drawn.smiles.tolist(), train, {"Val": reference}, ScoreParams(bootstrap_replicates=0, nearest_train=0)
        ).metrics
        point[name] = {metric: metrics[metric] for metric in METRICS if metric in metrics}
    return point


def _show(points: list[dict[str, Any]]) -> None:
    columns = ("molecules seen", "train s", "CPU s", "val NLL", "valid", "FCD", "control valid", "control FCD")
    rows = [
        [f"{p['molecules_seen']:,}", p["train_s"], p["train_cpu_s"], p["val_nll"]]
        + [p[who].get(metric, float("nan")) for who in ("gan", "control") for metric in ("valid", "FCD_Val")]
        for p in points
    ]
    print_table("Scaling of the molecule generator", columns, rows)


def _picture(points: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    seen = [point["molecules_seen"] for point in points]
    axes = figure.subplots(1, 2)
    for axis, metric, label in zip(axes, ("valid", "FCD_Val"), ("valid", "FCD to val"), strict=True):
        for who, style in (("gan", "o-"), ("control", "s--")):
            axis.plot(seen, [point[who].get(metric) for point in points], style, label=who)
        axis.set(xscale="log", xlabel="molecules seen in training", ylabel=label)
        axis.grid(alpha=0.3)
    axes[1].set_yscale("log")
    axes[0].legend()
    return figure


if __name__ == "__main__":
    main()
