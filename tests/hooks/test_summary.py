import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from medpipe.hooks.mlflow_hook import MLflowHook
from medpipe.hooks.resources import ResourceHook
from medpipe.hooks.summary import RunSummaryHook

PIPELINE = Pipeline([Node(lambda raw: raw, "raw", "told", name="tell")])


@pytest.mark.parametrize(("number", "tables"), [(0, 1), (1, 0)])
def test_of_processes_that_train_together_the_first_one_tells(monkeypatch, capsys, number: int, tables: int):
    monkeypatch.setenv("RANK", str(number))
    monkeypatch.setenv("WORLD_SIZE", "2")
    RunSummaryHook(ResourceHook(MLflowHook())).after_pipeline_run(PIPELINE, DataCatalog({"told": MemoryDataset()}))
    assert capsys.readouterr().err.count("What ran") == tables
