"""A schedule that retrains, compares, promotes, refuses and survives a kill, with the real commands on conf/test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from rdkit import Chem

from medpipe.molecules.properties.params import PropertySourceParams
from medpipe.molecules.properties.sources import provide_properties
from medpipe.schedule.state import FINISHED, KILLED, RUNNING, Run, State
from tests.scratch import environment, make_project

JOB = "solubility"
PATIENCE_S = 300


def say(project: Path, *arguments: str) -> str:
    """What a command of medpipe prints."""
    done = subprocess.run(
        [sys.executable, "-m", "medpipe", *arguments],
        cwd=project,
        env=environment(covered=False),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def champion_and_versions(project: Path) -> tuple[str, int]:
    """What ``medpipe models list`` says of the model."""
    models: list[dict[str, Any]] = json.loads(say(project, "models", "list", "--env=test", "--json"))
    model = next(model for model in models if model["name"].endswith("property_model"))
    return model["champion"]["version"], model["versions"]


def schedule(project: Path, steps: int, trees: int, cron: str = "*/2 * * * * *") -> None:
    """The job trains so long from now on."""
    train = yaml.safe_load((project / "conf" / "test" / "parameters_properties.yml").read_text())
    train["train_properties"] |= {"max_steps": steps, "boosting": {"max_trees": trees}}
    (project / "conf" / "test" / "parameters_properties.yml").write_text(yaml.safe_dump(train))
    job = {
        "cron": cron,
        "pipelines": ["properties", "properties_promotion"],
        "parameters": {"property_source.path": str(project / "molecules.csv")},
        "min_new": 1,
        "drift_threshold": None,
        "retries": {"times": 2, "first_wait_s": 0.5, "longest_wait_s": 1},
    }
    (project / "conf" / "test" / "schedules.yml").write_text(yaml.safe_dump({JOB: job}))


class Scheduler:
    """``medpipe schedule run`` in a process of its own."""

    def __init__(self, project: Path) -> None:
        self._log = (project / "scheduler.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "medpipe", "schedule", "run", "--env=test"],
            cwd=project,
            env=environment(covered=False),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        self._log.close()


def wait_for(condition: Callable[[], bool], project: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, (project / "scheduler.log").read_text()[-4000:]
        time.sleep(0.2)


def runs(project: Path, *outcomes: str) -> list[Run]:
    return [run for run in State(project).runs(JOB) if run.outcome in outcomes]


def arrive(project: Path, molecules: pd.DataFrame) -> None:
    """More rows in the table that the job watches."""
    temporary = project / "molecules.new"
    molecules.to_csv(temporary, index=False)
    os.replace(temporary, project / "molecules.csv")


@pytest.fixture
def molecules_with_solubility(tmp_path: Path) -> pd.DataFrame:
    """Columns smiles and logs: the measured solubilities of the pipeline's default."""
    source = provide_properties(PropertySourceParams(), tmp_path / "source")
    read = [molecule for molecule in Chem.SDMolSupplier(str(source)) if molecule is not None]
    table = pd.DataFrame({"smiles": map(Chem.MolToSmiles, read), "logs": [m.GetProp("SOL") for m in read]})
    return table.sample(frac=1, random_state=0)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Callable[[Path], Scheduler]]:
    """Starts schedulers; none outlives the test."""
    started: list[Scheduler] = []

    def start(project: Path) -> Scheduler:
        started.append(Scheduler(project))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)


def test_promoted_refused_killed_promoted_and_rolled_back(tmp_path, molecules_with_solubility, scheduler):
    project = make_project(tmp_path / "project")
    molecules = molecules_with_solubility
    schedule(project, steps=20, trees=3)
    arrive(project, molecules[:500])
    first = scheduler(project)
    wait_for(lambda: len(runs(project, FINISHED)) == 1, project)
    assert champion_and_versions(project) == ("1", 1)

    schedule(project, steps=1, trees=1)
    arrive(project, molecules[:510])
    wait_for(lambda: len(runs(project, FINISHED)) == 2, project)
    assert champion_and_versions(project) == ("1", 2)
    assert "refused" in say(project, "models", "show", "property_model", "2", "--env=test")

    schedule(project, steps=150, trees=80)
    arrive(project, molecules)
    wait_for(lambda: any(training_began(project, run) for run in runs(project, RUNNING)), project)
    first.end(signal.SIGKILL)
    scheduler(project)
    wait_for(lambda: len(runs(project, FINISHED)) == 3, project)
    assert len(runs(project, KILLED)) == 1
    assert champion_and_versions(project) == ("3", 3)
    assert_one_after_the_other(runs(project, FINISHED, KILLED))

    say(project, "models", "rollback", "property_model", "--reason=a test", "--env=test")
    assert champion_and_versions(project) == ("1", 3)


def training_began(project: Path, run: Run) -> bool:
    log = project / (run.log or "")
    return log.is_file() and "train_properties (" in log.read_text()


def assert_one_after_the_other(done: list[Run]) -> None:
    spans = sorted((run.started, run.ended) for run in done if run.started and run.ended)
    assert len(spans) == len(done)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
