import sys
from pathlib import Path

import pytest

from medpipe.core.errors import InputError
from medpipe.ct.labels import find_label_source
from medpipe.ct.readers import dicom, find_reader

READER = """
SOURCE = "mine"


def discover(raw, files, params):
    return []


def read_volume(raw, path, series_uid): ...


def read_samples(raw, scan): ...


def content(raw, path):
    return []
"""


def test_names_of_the_project(tmp_path: Path):
    assert find_reader("dicom") is dicom
    for name in ("tables", "lidc", "label_maps", "dicom_seg", "rtstruct"):
        assert callable(find_label_source(name).discover)


def test_a_reader_of_ones_own_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_hospital").mkdir()
    (tmp_path / "my_hospital" / "pacs.py").write_text(READER)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert find_reader("my_hospital.pacs").SOURCE == "mine"


def test_a_name_that_is_no_module():
    with pytest.raises(
        InputError, match=r"ingest_ct.readers: 'absent' is none of luna16, dicom, images, and no module"
    ):
        find_reader("absent")


def test_a_module_that_is_no_reader():
    with pytest.raises(InputError, match=r"medpipe\.ct\.readers\.tables lacks SOURCE, content, discover"):
        find_reader("medpipe.ct.readers.tables")
