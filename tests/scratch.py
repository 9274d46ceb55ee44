"""A scratch copy of the project in which the real command line runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parents[1]


def make_project(folder: Path) -> Path:
    """Configuration of this project with empty data; the code is the installed one."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder)
    (folder / "src").mkdir()  # Kedro wants one; the package is the installed one
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kedro", *arguments]


def environment(covered: bool = True, **more: str) -> dict[str, str]:
    """Without the terminal's width, so that log lines are not wrapped; at full speed where coverage is not counted."""
    kept = {name: value for name, value in os.environ.items() if covered or not name.startswith("COVERAGE_")}
    return {**kept, "COLUMNS": "300", **more}


def kedro(project: Path, *arguments: str, covered: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a Kedro command in the project; output and errors together."""
    return subprocess.run(
        command(*arguments),
        cwd=project,
        env=environment(covered, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )


class Run(NamedTuple):
    """A finished run.

    Attributes:
        output: What it wrote on the terminal.
        metrics: Content of its files of metrics, by their names.
        events: What it wrote for Kedro-Viz's run status.
    """

    output: str
    metrics: dict[str, dict[str, float]]
    events: list[dict[str, Any]]


def run_to_the_end(project: Path, pipeline: str, **options: bool) -> Run:
    """Runs a pipeline with conf/test."""
    done = kedro(project, "run", f"--pipeline={pipeline}", "--env=test", **options)
    assert done.returncode == 0, done.stdout
    files = (project / "data" / "test" / "08_reporting").glob("*_metrics.json")
    events = json.loads((project / ".viz" / "kedro_pipeline_events.json").read_text())
    return Run(done.stdout, {file.name: json.loads(file.read_text()) for file in files}, events)


def nodes_that_ran(output: str) -> list[str]:
    """Names of the nodes that a run did not skip, from its log."""
    started = re.findall(r"(\w+) \(\d+ of \d+\)(?!: unchanged)", output)
    return started
