"""The notebooks run to the end on what the pipelines made, and show pictures; nothing of a run is kept in them."""

import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.scratch import PROJECT, Run

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def executed(notebook: Path, project: Path) -> Any:
    """The notebook with its outputs, run beside the data of conf/test; an error in a cell is raised."""
    folder = project / "notebooks"
    folder.mkdir(exist_ok=True)
    content = nbformat.read(shutil.copy(notebook, folder), as_version=4)
    client = NotebookClient(content, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(folder)}})
    return client.execute(env={**os.environ, "KEDRO_ENV": "test"})


def pictures(content: Any) -> int:
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_pictures(notebook: Path, project: Path, imaging: Run, molecules: Run) -> None:
    assert pictures(executed(notebook, project)) >= 2


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_its_outputs(notebook: Path) -> None:
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert [cell for cell in cells if cell.outputs or cell.execution_count is not None] == []


def test_the_three_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["explore_cohort", "explore_molecules", "read_a_run"]
