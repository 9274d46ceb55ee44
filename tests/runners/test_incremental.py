from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from medpipe.datasets import MetricsDataset, PathDataset, TableDataset
from medpipe.runners import IncrementalRunner


def first(raw: Path, factor: int) -> pd.DataFrame:
    return pd.DataFrame({"value": [len(file.read_text()) * factor for file in sorted(raw.iterdir())]})


def second(table: pd.DataFrame, digits: int) -> dict[str, float]:
    return {"mean": round(float(table["value"].mean()), digits)}


def second_otherwise(table: pd.DataFrame, digits: int) -> dict[str, float]:
    return {"mean": round(float(table["value"].median()), digits)}


class Project:
    """Two nodes over a folder of files; counts what runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = folder / "raw"
        self.raw.mkdir()
        (self.raw / "a.txt").write_text("abc")
        self.params = {"params:factor": 2, "params:digits": 3}
        PathDataset(filepath=str(folder / "raw.json")).save(self.raw)

    def run(self, first=first, second=second, only: str | None = None, runner=IncrementalRunner) -> list[str]:
        catalog = DataCatalog(
            {
                "raw": PathDataset(filepath=str(self.folder / "raw.json")),
                "table": TableDataset(filepath=str(self.folder / "table.parquet")),
                "metrics": MetricsDataset(filepath=str(self.folder / "metrics.json")),
                **{name: MemoryDataset(value) for name, value in self.params.items()},
            }
        )
        pipeline = Pipeline(
            [
                Node(first, ["raw", "params:factor"], "table", name="first"),
                Node(second, ["table", "params:digits"], "metrics", name="second"),
            ]
        )
        hooks = Recorder()
        pipeline = pipeline.only_nodes(only) if only else pipeline
        runner(state_folder=str(self.folder / "state")).run(pipeline, catalog, hooks)
        return hooks.ran


class Recorder(_NullPluginManager):
    """Stands for the hook manager and remembers which nodes ran."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    def __getattr__(self, name):
        return self

    def __call__(self, **arguments) -> None:
        if "outputs" in arguments:
            self.ran.append(arguments["node"].name)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_second_run_does_nothing(project):
    assert project.run() == ["first", "second"]
    assert project.run() == []


def test_parameter_redoes_only_what_depends_on_it(project):
    project.run()
    project.params["params:digits"] = 1
    assert project.run() == ["second"]
    project.params["params:factor"] = 5
    assert project.run() == ["first", "second"]


def test_new_file_below_a_path_is_seen(project):
    project.run()
    (project.raw / "b.txt").write_text("abcdef")
    assert project.run() == ["first", "second"]


def test_same_content_made_again_stops_there(project):
    project.run()
    (project.raw / "a.txt").write_text("xyz")
    assert project.run() == ["first"]


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"half")])
def test_missing_or_damaged_output_is_made_again(project, damage):
    project.run()
    damage(project.folder / "table.parquet")
    assert project.run() == ["first"]


def test_code_is_seen(project):
    project.run()
    assert project.run(second=second_otherwise) == ["second"]


def test_failed_node_runs_again_though_its_old_output_exists(project):
    def broken(table: pd.DataFrame, digits: int) -> dict[str, float]:
        raise ValueError("no")

    project.run()
    project.params["params:digits"] = 1
    with pytest.raises(ValueError, match="no"):
        project.run(second=broken)
    project.params["params:digits"] = 3
    assert project.run() == ["second"]
