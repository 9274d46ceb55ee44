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
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from measure import RESULTS, print_table, save
from rdkit import Chem, rdBase

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams, SampleParams
from medpipe.molecules.generation.sample import sample
from medpipe.molecules.generation.train import train_gan
from medpipe.molecules.metrics import chemnet
from medpipe.molecules.metrics.fcd import Moments, frechet_distance, moments

PROJECT = Path(__file__).parents[1]
PARAMETERS = PROJECT / "conf" / "base" / "parameters_molecules.yml"


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
    train, val = (smiles.smiles[smiles.split == split].tolist() for split in ("train", "val"))
    reference = _moments(val)
    as_many = pd.Series(train).sample(len(val), random_state=0).tolist()
    floor = frechet_distance(reference, _moments(as_many))
    points: list[dict[str, Any]] = []
    lengths = sorted(options.steps)
    while lengths:
        steps = lengths.pop(0)
        points.append(_point(TokenStore(options.store), conf, steps, options.samples, set(train), reference))
        if options.minutes and len(points) == 1:
            lengths.append(round(steps * options.minutes * 60 / points[0]["train_s"]))
        _show(points)
    result = {"n_train": len(train), "n_val": len(val), "n": options.samples, "FCD_Val_of_train": floor}
    result["temperature"] = conf["sample"]["temperature"]
    file = save("molecule_scaling", {**result, "points": points})
    picture = RESULTS / f"{file.stem}.png"
    _picture(points, floor).savefig(picture, dpi=150)
    print(f"\n{file}\n{picture}")


def _point(
    store: TokenStore, conf: dict[str, Any], steps: int, n: int, train: set[str], reference: Moments
) -> dict[str, Any]:
    values = conf["train_gan"] | {"trainer": conf["train_gan"]["trainer"] | {"max_steps": steps}}
    params = GanParams(**values)
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as work:
        trained = train_gan(store, params, Path(work) / "work")
    point: dict[str, Any] = {"steps": steps, "molecules_seen": steps * params.batch_size}
    point |= {"train_s": time.perf_counter() - wall, "train_cpu_s": time.process_time() - cpu}
    last = trained.history.sort_values("step").groupby("name").value.last()
    point |= {name: last[name] for name in ("val_nll", "control_val_nll", "speed_adversarial_s", "speed_control_s")}
    for name, checkpoint in (("gan", trained.generator), ("control", trained.control)):
        drawn = sample(checkpoint, SampleParams(**conf["sample"] | {"n": n}))
        point[name] = _measure(drawn.smiles.tolist(), train, reference)
    return point


def _measure(drawn: list[str], train: set[str], reference: Moments) -> dict[str, float]:
    """The few of MOSES's measures that a curve is made of; `score` gives all."""
    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(one) if one else None for one in drawn]
    valid = [Chem.MolToSmiles(molecule) for molecule in molecules if molecule is not None]
    distinct = set(valid)
    shares = {"valid": len(valid) / len(drawn), "unique": len(distinct) / len(valid)}
    novelty = len(distinct - train) / len(distinct)
    return shares | {"novelty": novelty, "FCD_Val": frechet_distance(reference, _moments(valid))}


def _moments(smiles: list[str]) -> Moments:
    counts = Counter(smiles)
    return moments(chemnet.activations(list(counts)), np.array(list(counts.values())))


def _show(points: list[dict[str, Any]]) -> None:
    columns = ("molecules seen", "train s", "CPU s", "val NLL", "valid", "FCD", "control valid", "control FCD")
    rows = [
        [f"{p['molecules_seen']:,}", p["train_s"], p["train_cpu_s"], p["val_nll"]]
        + [p[who].get(metric, float("nan")) for who in ("gan", "control") for metric in ("valid", "FCD_Val")]
        for p in points
    ]
    print_table("Scaling of the molecule generator", columns, rows)


def _picture(points: list[dict[str, Any]], floor: float) -> Figure:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    seen = [point["molecules_seen"] for point in points]
    axes = figure.subplots(1, 2)
    for axis, metric, label in zip(axes, ("valid", "FCD_Val"), ("valid", "FCD to val"), strict=True):
        for who, name, style in (("gan", "GAN", "o-"), ("control", "control", "s--")):
            axis.plot(seen, [point[who].get(metric) for point in points], style, label=name)
        axis.set(xscale="log", xlabel="molecules seen in training", ylabel=label)
        axis.set_xticks(seen, [f"{n / 1000:,.0f}k" for n in seen])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[1].axhline(floor, color="black", linewidth=1, linestyle=":", label="as many of train")
    axes[1].set_ylim(bottom=0)
    axes[1].legend()
    return figure


if __name__ == "__main__":
    main()
