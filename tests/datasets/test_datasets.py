import base64
from pathlib import Path

import pandas as pd
import pytest
import torch
from kedro.io import DatasetError
from matplotlib.figure import Figure

from medpipe.datasets import (
    CheckpointDataset,
    FigureDataset,
    MetricsDataset,
    PathDataset,
    StoreDataset,
    StreamedTableDataset,
    TableDataset,
    WorkFolderDataset,
)
from medpipe.datasets.files import PREVIEW_ROWS
from medpipe.training.checkpoint import Checkpoint


class Store:
    """Least store: a folder with a fingerprint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fingerprint(self) -> str:
        return "content"


def test_table_round_trip_and_preview(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "a.parquet"))
    table = pd.DataFrame({"name": ["a", None], "value": [1.5, float("nan")]})
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table)
    assert dataset.preview() == {"index": [0, 1], "columns": ["name", "value"], "data": [["a", 1.5], ["", ""]]}


def test_preview_does_not_tell_who_a_patient_is(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "a.parquet"))
    dataset.save(pd.DataFrame({"patient_id": ["Jane"], "path": ["jane/ct"], "series_uid": ["1.2"]}))
    assert dataset.preview() == {"index": [0], "columns": ["series_uid"], "data": [["1.2"]]}


def test_failed_save_keeps_the_old_table(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "a.parquet"))
    dataset.save(pd.DataFrame({"value": [1]}))
    with pytest.raises(DatasetError):
        dataset.save(pd.DataFrame({"value": [object()]}))
    assert dataset.load()["value"].tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_a_streamed_table_is_the_file_that_was_written(tmp_path):
    dataset = StreamedTableDataset(filepath=str(tmp_path / "07" / "a.parquet"))
    table = pd.DataFrame({"smiles": [f"C{i}" for i in range(50)]})
    for content in (table, table.assign(smiles="O")):  # the second takes the place of the first
        content.to_parquet(tmp_path / "written.parquet")
        dataset.save(tmp_path / "written.parquet")
        pd.testing.assert_frame_equal(dataset.load(), content)
        assert not (tmp_path / "written.parquet").exists()
    assert len(dataset.preview()["data"]) == PREVIEW_ROWS
    assert [path.name for path in (tmp_path / "07").iterdir()] == ["a.parquet"]


def test_a_streamed_table_without_rows_has_a_preview(tmp_path):
    dataset = StreamedTableDataset(filepath=str(tmp_path / "a.parquet"))
    pd.DataFrame({"smiles": pd.Series([], dtype="str")}).to_parquet(tmp_path / "written.parquet")
    dataset.save(tmp_path / "written.parquet")
    assert dataset.preview()["columns"] == ["smiles"]
    assert dataset.preview()["data"] == []


def test_metrics_preview_is_a_table_of_readable_numbers(tmp_path):
    dataset = MetricsDataset(filepath=str(tmp_path / "a.json"))
    dataset.save({"cpm": 0.8123456, "n_scans": 8})
    assert dataset.preview()["data"] == [["cpm", 0.8123], ["n_scans", 8]]


def test_figure_is_a_picture(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "a.png"))
    dataset.save(Figure())
    assert base64.b64decode(dataset.preview()).startswith(b"\x89PNG")


def test_checkpoint_round_trip_and_kind(tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "a.safetensors"), kind="detector")
    dataset.save(Checkpoint("detector", {"w": torch.ones(2)}, {"edge": 1}, {"seed": 3}))
    assert dataset.load().params == {"edge": 1}
    assert '"seed": 3' in dataset.preview()
    with pytest.raises(DatasetError, match="holds a 'detector', got a 'generator'"):
        dataset.save(Checkpoint("generator", {}, {}))


def test_path_fingerprint_is_that_of_the_files(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    dataset = PathDataset(filepath=str(tmp_path / "raw.json"))
    assert not dataset.exists()
    dataset.save(folder)
    before = dataset.fingerprint()
    (folder / "scan").touch()
    assert dataset.load() == folder
    assert dataset.fingerprint() != before


def test_store_is_opened_and_its_place_checked(tmp_path):
    dataset = StoreDataset(filepath=str(tmp_path / "store"), store=f"{__name__}.Store")
    dataset.save(Store(tmp_path / "store"))
    assert dataset.load().folder == tmp_path / "store"
    assert dataset.fingerprint() == "content"
    with pytest.raises(DatasetError, match="the catalog expects it in"):
        dataset.save(Store(tmp_path / "elsewhere"))


def test_work_folder_is_made_and_its_content_does_not_count(tmp_path):
    dataset = WorkFolderDataset(filepath=str(tmp_path / "work"))
    before = dataset.fingerprint()
    (dataset.load() / "half").touch()
    assert dataset.fingerprint() == before
    with pytest.raises(DatasetError):
        dataset.save(1)
