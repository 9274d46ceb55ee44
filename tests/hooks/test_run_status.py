"""The run status as Kedro-Viz reads it."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_viz.api.rest.responses.run_events import get_run_status_response
from kedro_viz.integrations.kedro.hooks_utils import hash_node

from medpipe.core.errors import InputError
from medpipe.datasets import TableDataset
from medpipe.hooks import RunStatusHook
from medpipe.hooks.run_status import EVENTS_FILE, NOT_ENDED
from medpipe.runners import IncrementalRunner


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that Kedro-Viz takes for a project."""
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\npackage_name = 'medpipe'\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILE = "data/{} {}/table.parquet".format("Doe", "Jane")  # not as it would stand in a line of code of a traceback


def clean(table, limit):
    if limit < 0:
        raise InputError(f"{FILE}: the limit must not be negative")
    return table.head(limit)


def count(table):
    return pd.DataFrame({"n": [len(table)], "status": [json.dumps(status(get_run_status_response()))]})


PIPELINE = Pipeline(
    [
        Node(clean, ["raw", "params:limit"], "cleaned", name="clean", namespace="intake"),
        Node(count, "cleaned", "counted", name="count"),
    ]
)
CLEAN, COUNT = (hash_node(node) for node in PIPELINE.nodes)


def status(response):
    return response.pipeline.status.value, {name: node.status.value for name, node in response.nodes.items()}


def run(folder, limit, broken=()):
    """One run as by ``kedro run --pipeline=imaging``; gives what Kedro-Viz then tells."""
    files = {name: TableDataset(filepath=str(folder / f"{name}.parquet")) for name in ("raw", "cleaned", "counted")}
    catalog = DataCatalog({**files, "params:limit": MemoryDataset(limit)})
    catalog.save("raw", pd.DataFrame({"a": range(5)}))
    for name in broken:
        (folder / f"{name}.parquet").write_bytes(b"no table")
    manager = _create_hook_manager()
    manager.register(RunStatusHook())
    manager.hook.after_context_created(context=SimpleNamespace(project_path=folder))
    run_params = {"pipeline_names": ["imaging"], "runner": "<medpipe.runners.incremental.IncrementalRunner object>"}
    told = {"run_params": run_params, "pipeline": PIPELINE, "catalog": catalog}
    manager.hook.before_pipeline_run(**told)
    try:
        result = IncrementalRunner(state_folder=str(folder / "state")).run(PIPELINE, catalog, manager)
        manager.hook.after_pipeline_run(run_result=result, **told)
    except Exception as error:
        manager.hook.on_pipeline_error(error=error, **told)
    return get_run_status_response()


def test_a_run_of_one_pipeline_by_our_runner_has_a_status(folder):
    found = run(folder, limit=3)
    assert status(found) == ("success", {CLEAN: "success", COUNT: "success"})
    assert found.pipeline.duration >= found.nodes[CLEAN].duration > 0


def test_datasets_are_told_with_their_size(folder):
    sizes = {dataset.name: dataset.size for dataset in run(folder, limit=3).datasets.values()}
    assert sizes["counted"] == (folder / "counted.parquet").stat().st_size


def test_unchanged_nodes_are_shown_as_skipped(folder):
    run(folder, limit=3)
    (folder / "counted.parquet").unlink()
    assert status(run(folder, limit=3)) == ("success", {COUNT: "success"})  # what has no status, was skipped


def test_a_run_that_does_nothing_leaves_the_status(folder):
    run(folder, limit=3)
    before = (folder / EVENTS_FILE).read_text()
    run(folder, limit=3)
    assert (folder / EVENTS_FILE).read_text() == before


def test_a_run_that_goes_on_is_no_success_yet(folder):
    run(folder, limit=3)
    meanwhile = json.loads(pd.read_parquet(folder / "counted.parquet")["status"][0])
    assert meanwhile == ["failed", {CLEAN: "success"}]


def test_a_killed_run_says_that_it_did_not_end(folder, monkeypatch):
    monkeypatch.setattr(RunStatusHook, "after_pipeline_run", lambda self: None)
    found = run(folder, limit=3)
    assert found.pipeline.status.value == "failed"
    assert found.pipeline.error.message == NOT_ENDED


def test_a_failed_node_is_named_without_paths(folder):
    found = run(folder, limit=-1)
    assert status(found) == ("failed", {CLEAN: "failed"})
    assert found.nodes[CLEAN].error.message == "InputError: <path>: the limit must not be negative"
    assert "in clean" in found.nodes[CLEAN].error.traceback
    assert "Doe" not in (folder / EVENTS_FILE).read_text()


def test_data_that_cannot_be_read_are_named(folder):
    found = run(folder, limit=3, broken=["raw"])
    assert status(found) == ("failed", {CLEAN: "failed"})
    (dataset,) = [one for one in found.datasets.values() if one.status.value == "failed"]
    assert dataset.error.error_operation == "loading"


def test_kedro_viz_shows_a_run_by_the_command_line(imaging):
    """The nodes of the events are those of the graph: test_end_to_end compares them in a page that is built."""
    done = {event["node"] for event in imaging.events if event["event"] == "after_node_run"}
    assert {"detection.train_cnn", "segmentation.segment", "findings.write_report"} <= done
    assert imaging.events[-1]["event"] == "after_pipeline_run"
