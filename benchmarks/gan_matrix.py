"""Every family of generators with every loss after the same budget, beside what likelihood alone gives.

    python benchmarks/gan_matrix.py
    python benchmarks/gan_matrix.py --families graph --losses minimax relativistic --steps-factor 4

The losses of a family have the same number of steps; the control of the family has what `train_gan` says of it. All is
measured on molecules drawn from each, against molecules of val, never of test; those of the graph family are compared
with val molecules of its size. Combinations already in the results file, of the same budget, are left as they are and
the others added, so that the table can be made in pieces; ``--anew`` starts over. All of it takes an hour or more
on an idle core.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import RESULTS, print_table, save
from rdkit import Chem

from medpipe.molecules.encoding.store import TokenStore
from medpipe.molecules.generation.params import GanParams
from medpipe.molecules.generation.sampler import load_sampler
from medpipe.molecules.generation.train import Trained, train_gan
from medpipe.molecules.metrics.params import ScoreParams
from medpipe.molecules.metrics.reference import Reference, reference_of
from medpipe.molecules.metrics.score import score
from medpipe.training.checkpoint import Checkpoint

PROJECT = Path(__file__).parents[1]
LOSSES = ("minimax", "least_squares", "wasserstein_gp", "wasserstein_clip", "relativistic")
FAMILIES: dict[str, dict[str, Any]] = {
    "sequence": {
        "batch_size": 64,
        "learning_rate": 4e-3,
        "trainer": {"max_steps": 1600},
        "sequence": {"adversarial": {"share": 0.3, "head_start_steps": 10}},
    },
    "latent": {
        "batch_size": 128,
        "learning_rate": 4e-3,
        "trainer": {"max_steps": 1600},
        "latent": {"adversarial": {"steps": 2000}},
    },
    "graph": {
        "batch_size": 128,
        "learning_rate": 1e-3,
        "trainer": {"max_steps": 3000},
        "graph": {"max_molecules": 30_000, "adversarial": {"steps": 2000}},
    },
}
"""Parameters of the trainings, a few minutes on a core each; what is not named is the default."""
TEMPERATURES = {"sequence": 0.9, "latent": 0.3, "graph": 0.5}
"""Chosen on validity and uniqueness of the controls: where noise already differs, the decoder need not be random."""
METRICS = {"valid": "validity", "unique": "uniqueness", "novelty": "novelty", "FCD_Val": "FCD/Val", "IntDiv": "IntDiv"}
NAME = "gan_matrix"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=PROJECT / "data" / "05_model_input" / "token_store")
    parser.add_argument("--smiles", type=Path, default=PROJECT / "data" / "03_primary" / "smiles.parquet")
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--steps-factor", type=float, default=1.0, help="times the steps of each training")
    parser.add_argument("--samples", type=int, default=2000, help="molecules drawn from each generator")
    parser.add_argument("--work", type=Path, help="where unfinished trainings lie, to go on after an interruption")
    parser.add_argument("--anew", action="store_true", help="forget earlier results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    smiles = pd.read_parquet(options.smiles)
    train, val = (smiles.smiles[smiles.split == split].tolist() for split in ("train", "val"))
    budget = {"samples": options.samples, "temperatures": TEMPERATURES, "steps_factor": options.steps_factor}
    rows = [] if options.anew else _earlier(budget)
    for family in options.families:
        losses = [loss for loss in options.losses if not any(r["family"] == family and r["loss"] == loss for r in rows)]
        if not losses:
            continue
        reference: Reference | None = None
        with tempfile.TemporaryDirectory() as temporary:
            for loss in losses:
                params = _params(family, loss, options.steps_factor)
                reference = reference or _reference(val, params)
                start, cpu = time.perf_counter(), time.process_time()
                work = (options.work or Path(temporary)) / family
                trained = train_gan(TokenStore(options.store), params, work)
                cost = {"train_s": time.perf_counter() - start, "train_cpu_s": time.process_time() - cpu}
                rows += _rows(family, loss, trained, params, options.samples, train, reference, cost, rows)
                _show(rows)
                file = save(NAME, {**budget, "rows": rows})
                print(f"\n{file}")


def _params(family: str, loss: str, factor: float) -> GanParams:
    values = FAMILIES[family]
    params = GanParams(family=family, loss={"kind": loss}, **values)  # type: ignore[arg-type]
    trainer = params.trainer.model_copy(update={"max_steps": round(params.trainer.max_steps * factor)})
    changed: dict[str, Any] = {"trainer": trainer}
    if family != "sequence":
        own = getattr(params, family)
        steps = round(own.adversarial.steps * factor)
        changed[family] = own.model_copy(update={"adversarial": own.adversarial.model_copy(update={"steps": steps})})
    return params.model_copy(update=changed)


def _reference(val: list[str], params: GanParams) -> Reference:
    if params.family == "graph":
        val = [text for text in val if Chem.MolFromSmiles(text).GetNumAtoms() <= params.graph.max_atoms]
    return reference_of(val, n_jobs=1)


def _rows(
    family: str,
    loss: str,
    trained: Trained,
    params: GanParams,
    n: int,
    train: list[str],
    reference: Reference,
    cost: dict[str, float],
    known: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The generator's row, and once a family the control's."""
    history = trained.history
    course = {name: table.sort_values("step").value for name, table in history.groupby("name")}
    row: dict[str, Any] = {"family": family, "loss": loss, **_measure(trained.generator, family, n, train, reference)}
    row |= cost | {"params": params.model_dump(mode="json")}
    for name in ("discriminator_accuracy", "gradient_norm"):
        if name in course:
            row[name] = float(course[name].iloc[-10:].mean())
    new = [row]
    if not any(r["family"] == family and r["loss"] == "likelihood" for r in known):
        control = {"family": family, "loss": "likelihood", **_measure(trained.control, family, n, train, reference)}
        for name in ("val_nll", "val_reconstruction"):
            if name in course:
                control[name] = float(course[name].iloc[-1])
        new.insert(0, control)
    return new


def _measure(checkpoint: Checkpoint, family: str, n: int, train: list[str], reference: Reference) -> dict[str, Any]:
    sampler = load_sampler(checkpoint)
    random = torch.Generator().manual_seed(0)
    temperature = TEMPERATURES[family]
    drawn = sampler.draw(n, random, temperature=temperature, top_p=1.0, max_tokens=sampler.max_tokens)
    scoring = ScoreParams(bootstrap_replicates=0, unique_at=(n,), n_jobs=1)
    metrics = score(drawn, train, {"Val": reference}, scoring).metrics
    metrics["unique"] = metrics.get(f"unique_at_{n}", float("nan"))
    return {name: metrics[name] for name in METRICS if name in metrics} | {"n_distinct": metrics["n_distinct"]}


def _earlier(budget: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the results file, if they had the same budget."""
    for file in RESULTS.glob(f"{NAME}_*.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        if {key: result.get(key) for key in budget} == budget:
            return list(result["rows"])
    return []


def _show(rows: list[dict[str, Any]]) -> None:
    columns = ["family", "loss", *METRICS.values(), "D accuracy", "|grad D|", "train CPU s"]
    keys = ["family", "loss", *METRICS, "discriminator_accuracy", "gradient_norm", "train_cpu_s"]
    print_table("After the same steps a family", columns, [[row.get(key, "") for key in keys] for row in rows])


if __name__ == "__main__":
    main()
