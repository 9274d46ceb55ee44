"""A scratch copy of the project in which the real command line runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def environment(**more: str) -> dict[str, str]:
    """Without the terminal's width, so that log lines are not wrapped."""
    return {**os.environ, "COLUMNS": "300", "COVERAGE_RCFILE": str(PROJECT / "pyproject.toml"), **more}


def kedro(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a Kedro command in the project; output and errors together."""
    return subprocess.run(
        command(*arguments),
        cwd=project,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )


def nodes_that_ran(output: str) -> list[str]:
    """Names of the nodes that a run did not skip, from its log."""
    import re

    started = re.findall(r"(\w+) \(\d+ of \d+\)(?!: unchanged)", output)
    return started
