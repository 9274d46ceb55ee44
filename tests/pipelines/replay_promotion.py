"""A model's life with the gate: python -m tests.pipelines.replay_promotion PROJECT prints a line a step.

Each step is a run of its own, as the command line starts it; only the process and its imports are shared.
"""

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from medpipe.registry.project import registry_of_project
from medpipe.runners import IncrementalRunner

MODEL = "property_model"
SMILES = [
    f"{'C' * i}{link}{ring}"
    for i in range(1, 11)
    for link in ("", "O", "N", "C(=O)", "S", "C=C")
    for ring in ("C1CC1", "c1ccccc1", "c1ccncc1", "C1CCNCC1")
]
NEW = [f"{'C' * i}C#C{ring}" for i in range(1, 11) for ring in ("C1CC1", "c1ccccc1", "c1ccncc1", "C1CCNCC1", "C1CCC1")]
WORSE = {"max_steps": 1, "boosting": {"max_trees": 1}}
FIRST = {"max_steps": 30, "boosting": {"max_trees": 20}}
BETTER = {"max_steps": 300, "boosting": {"max_trees": 60}}
SMALL = {"network": {"hidden_size": 32}, "n_members": 1, "n_jobs": 1}


def write_table(project: Path, smiles: list[str]) -> None:
    from rdkit import Chem
    from rdkit.Chem.Descriptors import TPSA, MolWt

    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    table = pd.DataFrame({"smiles": smiles, "weight": map(MolWt, molecules), "area": map(TPSA, molecules)})
    table.to_csv(project / "mine.csv", index=False)


class Ran(logging.Handler):
    """Names of the nodes that were not skipped, from the log."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.fullmatch(r"(\w+) \(\d+ of \d+\)", record.getMessage()):
            self.nodes.append(found[1])


def run(project: Path, pipeline: str, params: dict[str, Any]) -> list[str]:
    from kedro.framework.session import KedroSession

    ingest = {"split": "hash", "n_jobs": 1}  # molecules keep their split when others are added
    given = {"property_source": {"path": "mine.csv"}, "ingest_properties": ingest, **params}
    ran = Ran()
    with KedroSession.create(project_path=project, env="test", runtime_params=given) as session:
        logging.getLogger().addHandler(ran)
        session.run(pipeline_names=[pipeline], runner=IncrementalRunner())
    logging.getLogger().removeHandler(ran)
    return ran.nodes


def step(project: Path, name: str, train: dict[str, Any] | None = None) -> None:
    """Trains, if asked to, then runs the gate, and says what came of it."""
    if train is not None:
        run(project, "properties", {"train_properties": SMALL | train})
    ran = run(project, "properties_promotion", {})
    registry = registry_of_project("test", project)
    champion, challenger = registry.champion(MODEL), registry.challenger(MODEL)
    decision = json.loads((project / "data" / "test" / "08_reporting" / "properties_decision.json").read_text())
    numbers = [None if each is None else each.version for each in (champion, challenger)]
    print("STEP", json.dumps([name, ran, decision, *numbers]), flush=True)


def main(project: Path) -> None:
    os.chdir(project)
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    write_table(project, SMILES)
    step(project, "first", FIRST)
    step(project, "worse", WORSE)
    step(project, "unchanged")
    step(project, "better", BETTER)
    step(project, "unchanged after promotion")
    registry_of_project("test", project).rollback(MODEL, "worse in use")
    step(project, "rolled back")
    write_table(project, SMILES + NEW)
    step(project, "new data", BETTER)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
